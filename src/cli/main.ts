#!/usr/bin/env node
/**
 * The command `mcp-credentials`.
 *
 * @module
 */
import { runProgram } from './program.ts'
import { processTerminal } from './terminal.ts'

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

process.exitCode = await runProgram(process.argv.slice(2), processTerminal(), ending.signal)
