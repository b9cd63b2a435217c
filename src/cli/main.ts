#!/usr/bin/env node
/**
 * The command `mcp-credentials`.
 *
 * @module
 */
import module from 'node:module'
import { isAbsolute, join } from 'node:path'
import envPaths from 'env-paths'
import { asksForVersion, packageVersion } from './version.ts'

// Since Node 22.1; the types are those of an earlier version.
const { enableCompileCache } = module as {
  readonly enableCompileCache?: (directory: string) => unknown
}
// Compiled code is cached in the user's own folder: other users could add code to a shared one. Without a home
// folder, the path would be relative to the current folder.
const { cache } = envPaths('mcp-credentials', { suffix: '' })
if (isAbsolute(cache)) enableCompileCache?.(join(cache, 'compiled'))

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The second signal ends the process at once, as shells expect.
  process.once(name, () => ending.abort())
}
for (const stream of [process.stdout, process.stderr]) {
  // The reader may close the pipe early, as `head` does.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

const argv = process.argv.slice(2)
if (asksForVersion(argv)) process.stdout.write(`${packageVersion()}\n`)
else {
  // Imported after the compile cache is enabled.
  const { runProgram, processTerminal } = await import('./start.ts')
  process.exitCode = await runProgram(argv, processTerminal(ending.signal), ending.signal)
}
