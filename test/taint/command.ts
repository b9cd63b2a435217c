/** The command line on the machine of a story: it shares the store and the config files with the clients. */
import { PassThrough } from 'node:stream'
import { runProgram } from '../../src/cli/program.ts'
import { makeTerminal } from '../../src/cli/terminal.ts'
import { commandConfig } from './configuration.ts'
import type { FrontOperation } from './front-operations.ts'
import { networkOf } from './network.ts'
import { type ClientState, nextNumber, note, urlOf, type World } from './types.ts'

export const commandNames = ['headers', 'token', 'list', 'status'] as const
export type CommandName = (typeof commandNames)[number]

/** What a command prints is for the server that it was asked about, and all else for anybody. */
export async function runCommand(
  world: World,
  { what, resource }: Extract<FrontOperation, { readonly do: 'run a command' }>,
): Promise<void> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  const written = { stdout: '', stderr: '' }
  stdout.on('data', (chunk: Buffer) => {
    written.stdout += chunk.toString()
  })
  stderr.on('data', (chunk: Buffer) => {
    written.stderr += chunk.toString()
  })
  const { settings } = world.machine ?? {}
  const argv = [
    what,
    ...(what === 'list' ? [] : [urlOf(resource)]),
    ...(settings?.environment === undefined ? [] : ['--environment', settings.environment]),
    ...(what === 'list' && nextNumber(world) % 2 === 0 ? ['--json'] : []),
    '--verbose',
  ]
  const terminal = makeTerminal({ stdin, stdout, stderr, env: process.env, cwd: process.cwd() })
  const code = await runProgram(argv, terminal, new AbortController().signal)
  const { recorder, canaries } = world
  note(world, `   ${argv.join(' ')} ends with ${code}: ${canaries.describe(written.stdout)}`)
  recorder.published(`the messages of ${what}`, written.stderr)
  const isForServer = what === 'headers' || what === 'token'
  if (isForServer) recorder.received(resource, written.stdout, `whoever reads ${what}`)
  else recorder.published(`the output of ${what}`, written.stdout)
}

/** Commands have no `fetch` of their own, so for them the story's is the platform's. */
export function givePlatformFetch(world: World): () => void {
  const door = () => Promise.reject(new Error('a command is not called'))
  const { fetch } = globalThis
  const self: ClientState = {
    name: 'a command',
    config: commandConfig,
    fetch: Object.assign(door, { login: door, logout: door, close: door, manager: undefined }),
    open: new Set(),
    underWay: 0,
    isBound: true,
    closed: false,
    unaskedLogins: [],
    unfinishedLogouts: 0,
  }
  globalThis.fetch = networkOf(world, () => self) as typeof fetch
  return () => {
    globalThis.fetch = fetch
  }
}
