/**
 * A session with the built command, against the test servers of this package.
 *
 * @module
 */
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type TestRequest, testServers } from '../../src/testing/index.ts'
import { runInTerminal } from './terminal-run.ts'

/** A command and what it printed, with the escape sequences of colours. */
export interface Step {
  readonly command: string
  readonly output: string
}

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const client = fileURLToPath(new URL('client.mjs', import.meta.url))

/**
 * Runs `doctor`, `login`, `list` and `proxy`, as a user would.
 *
 * What differs from run to run gets a stable name, and nothing else is changed: the ports of both servers become 8000
 * and 9000, the temporary folder becomes `/home/ada`, what is random in the login's address becomes `…`, and the
 * token always expires at 15:00. The commands run without `npx`, which would print the same.
 *
 * @throws `Error` when a command fails, or shows a secret.
 */
export async function recordSession(): Promise<readonly Step[]> {
  const home = await realpath(await mkdtemp(join(tmpdir(), 'recording-')))
  const servers = await testServers()
  const { resource, authorizationServer, mcp } = servers
  const env = { PATH: process.env['PATH'], HOME: home, TZ: 'UTC', TERM: 'xterm-256color' }
  const own = { cwd: home, env: { ...env, MCP_CREDENTIALS_STORE: 'file' } }
  const server = resource.href
  const command = 'npx mcp-credentials'
  const commands: readonly Run[] = [
    { shown: `${command} doctor ${server}`, argv: [main, 'doctor', server] },
    {
      shown: `${command} login ${server} --no-browser`,
      argv: [main, 'login', server, '--no-browser'],
      watch: userWhoLogsIn(),
    },
    { shown: `${command} list`, argv: [main, 'list'] },
    {
      shown: `node client.mjs ${command} proxy ${server}`,
      argv: [client, process.execPath, main, 'proxy', server],
    },
  ]
  try {
    const steps: Step[] = []
    for (const { shown, argv, watch } of commands) {
      const options = watch === undefined ? own : { ...own, watch }
      const output = await runInTerminal([process.execPath, ...argv], options)
      steps.push({ command: shown, output })
    }
    checkSecrecy(steps, [...mcp.requests, ...authorizationServer.requests])
    const names: readonly (readonly [string, string])[] = [
      [resource.host, '127.0.0.1:8000'],
      [new URL(authorizationServer.issuer).host, '127.0.0.1:9000'],
      [home, '/home/ada'],
    ]
    return steps.map((step) => ({
      command: withStableNames(step.command, names),
      output: withStableNames(step.output, names),
    }))
  } finally {
    await servers.close()
    await rm(home, { recursive: true, force: true })
  }
}

interface Run {
  /** The command as it is typed. */
  readonly shown: string
  readonly argv: readonly string[]
  readonly watch?: (output: string) => void
}

/** Opens the address of the login once it is printed, and follows it back to the command. */
function userWhoLogsIn(): (output: string) => void {
  let isDone = false
  return (output) => {
    const [address] = /http:\/\/\S+\/authorize\?\S+(?=\r?\n)/.exec(output) ?? []
    // The command says more after the address; it is on the screen when the user opens it.
    if (
      isDone ||
      address === undefined ||
      !output.trimEnd().endsWith('Paste the URL of that page here:')
    )
      return
    isDone = true
    fetch(address).then(
      (page) => page.text(),
      () => {
        // The command then waits, and its time limit ends the recording.
      },
    )
  }
}

/** What must not be seen: credentials, and what they are got with. */
const secretParameters = ['code', 'code_verifier', 'refresh_token', 'client_secret'] as const

/**
 * Checks that no secret is in what was printed.
 *
 * @param requests - What the servers received; all secrets of the session are among it, except the refresh token.
 * @throws `Error` that names the command which shows one.
 */
export function checkSecrecy(
  steps: readonly Step[],
  requests: readonly Pick<TestRequest, 'headers' | 'url' | 'body'>[],
): void {
  const secrets = requests.flatMap(({ headers, url, body }) => {
    const form = new URLSearchParams(body)
    const parameters = secretParameters.flatMap((name) => [
      form.get(name),
      url.searchParams.get(name),
    ])
    return [headers.get('authorization')?.replace(/^\w+ /, ''), ...parameters]
  })
  for (const { command, output } of steps) {
    const isShown = secrets.some(
      (secret) => secret != null && secret !== '' && output.includes(secret),
    )
    if (!isShown && !/(?:access|refresh)-[\da-f]{8}-/.test(output)) continue
    throw new Error(`\`${command}\` shows a secret.`)
  }
}

function withStableNames(text: string, names: readonly (readonly [string, string])[]): string {
  const named = names.reduce((result, [name, stable]) => result.replaceAll(name, stable), text)
  return named
    .replace(/\b(resource|redirect_uri|state|code_challenge|client_id)=[^&\s]+/g, '$1=…')
    .replace(/until (?:\d{4}-\d\d-\d\d )?\d\d:\d\d/g, 'until 15:00')
}
