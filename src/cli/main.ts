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

// Since Node 22.1; the types are those of an earlier one.
const { enableCompileCache } = module as {
  readonly enableCompileCache?: (directory: string) => unknown
}
// Compiled code is kept in the user's own folder: to that of all users, others could add some of theirs. Without a home
// folder, the path would lead into whatever folder this process was started in.
const { cache } = envPaths('mcp-credentials', { suffix: '' })
if (isAbsolute(cache)) enableCompileCache?.(join(cache, 'compiled'))

const ending = new AbortController()
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The second one ends the process at once, as shells expect it.
  process.once(name, () => ending.abort())
}
for (const stream of [process.stdout, process.stderr]) {
  // Whoever reads may have seen enough, as `head` does.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

const argv = process.argv.slice(2)
if (asksForVersion(argv)) process.stdout.write(`${packageVersion()}\n`)
else {
  // Loaded now, so that they are found in the cache.
  const { runProgram, processTerminal } = await import('./start.ts')
  process.exitCode = await runProgram(argv, processTerminal(ending.signal), ending.signal)
}
