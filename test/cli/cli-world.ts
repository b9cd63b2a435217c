/** Runs commands as a person would, with a store and config files of their own. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { vi } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { makeTerminal } from '../../src/cli/terminal.ts'

export interface RunOptions {
  /** What is piped in. Default: nothing. */
  readonly input?: string
  /** Whether standard output is a terminal. */
  readonly isTerminal?: boolean
  /** Whether standard error is a terminal. */
  readonly seesErrors?: boolean
  /** Whether a person can be asked at a terminal. */
  readonly isInteractive?: boolean
  /** The folder in which it runs. Default: that of the world. */
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** What a command has written, and how it ended. */
export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export interface Running {
  readonly finished: Promise<Finished>
  readonly stdin: PassThrough
  /** Aborts it, as Ctrl-C does. */
  interrupt(): void
  /** Waits until standard error matches. */
  stderrMatch(pattern: RegExp): Promise<RegExpExecArray>
}

export async function cliWorld() {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'))
  const stubs = {
    HOME: folder,
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    MCP_CREDENTIALS_STORE: 'file',
    MCP_CREDENTIALS_KEY: Buffer.alloc(32, 7).toString('base64'),
  }
  for (const [name, value] of Object.entries(stubs)) vi.stubEnv(name, value)

  function start(argv: readonly string[], options: RunOptions = {}): Running {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
    if (options.isTerminal === true) Object.assign(stdout, { isTTY: true })
    if (options.seesErrors === true) Object.assign(stderr, { isTTY: true })
    if (options.isInteractive === true) {
      Object.assign(stdin, { isTTY: true, setRawMode: () => stdin })
      Object.assign(stderr, { isTTY: true })
    }
    if (options.input !== undefined) stdin.end(options.input)
    const controller = new AbortController()
    const written = { stdout: '', stderr: '' }
    const watchers = new Set<() => void>()
    for (const [name, stream] of Object.entries({ stdout, stderr })) {
      stream.on('data', (chunk: Buffer) => {
        written[name as 'stdout' | 'stderr'] += chunk.toString()
        for (const watch of watchers) watch()
      })
    }
    const env = { ...stubs, ...options.env }
    const terminal = makeTerminal(
      { stdin, stdout, stderr, env, cwd: options.cwd ?? folder },
      controller.signal,
    )
    const finished = runProgram(argv, terminal, controller.signal).then((code) => ({
      code,
      ...written,
    }))
    return {
      finished,
      stdin,
      interrupt: () => controller.abort(),
      async stderrMatch(pattern) {
        for (;;) {
          const found = pattern.exec(written.stderr)
          if (found !== null) return found
          const more = new Promise<void>((resolve) => watchers.add(resolve))
          const early = finished.then(({ code }) => {
            if (pattern.test(written.stderr)) return
            throw new Error(`It ended with ${code}: ${written.stderr}`)
          })
          await Promise.race([more, early])
          watchers.clear()
        }
      },
    }
  }

  return {
    folder,
    start,
    run: (argv: readonly string[], options: RunOptions = {}) =>
      start(argv, { input: '', ...options }).finished,
    /** The names of the files of the store. */
    async records(): Promise<readonly string[]> {
      const names = await readdir(join(folder, 'data'), { recursive: true }).catch(() => [])
      return names.filter((name) => /records\/./.test(name) && !/lock/.test(name))
    },
    /** All that was written below the folder. */
    async written(): Promise<string> {
      const names = await readdir(folder, { recursive: true })
      const read = (name: string) => readFile(join(folder, name), 'latin1').catch(() => '')
      return (await Promise.all(names.map(read))).join('\n')
    },
    async close() {
      vi.unstubAllEnvs()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
