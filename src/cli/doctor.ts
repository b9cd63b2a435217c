/**
 * `doctor`: looks at a server as a client would, and explains what it sees.
 *
 * @module
 */
import type { CredentialStore } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { findServer, type Server } from './server.ts'
import type { Style, Terminal } from './terminal.ts'

/** The options of the command. */
export interface DoctorOptions {
  readonly json?: boolean
  readonly allowPrivateNetwork?: boolean
}

const help = `
It sends what a client without a credential would send, follows what the server
publishes, and rehearses a login up to the point where the browser would open.
Nothing is registered, stored or changed. Nothing secret is printed, so the
output can be pasted into an issue.

Examples:
  npx mcp-credentials doctor https://mcp.example.com/mcp
  npx mcp-credentials doctor https://mcp.example.com/mcp --json
  npx mcp-credentials doctor crm

It exits with 0 where nothing is wrong, and with 1 where there are problems.

--json prints one object: version (1), url, examinedAt, outcome (ok, problem,
unreachable), findings (id, verdict: ok, note or problem, text, remedy, issuer),
recommendation (provider, reason, command, code: sdkV2, sdkV1, fetch; mcpJson).
`

/** Adds the command. */
export const addDoctor: AddCommand = (program, run) => {
  program
    .command('doctor')
    .summary('explain how a server can be used, and what is wrong with it')
    .description('Looks at an MCP server as a client would, and explains what it sees.')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--json', 'print the result as JSON')
    .option('--allow-private-network', 'follow the server to OAuth servers in private networks')
    .addHelpText('after', help)
    .action(
      run(async (invocation, options: DoctorOptions, server = '') => {
        const { defaultStore } = await import('../auto/index.ts')
        return runDoctor(invocation, options, server, defaultStore())
      }),
    )
}

/** Examines a server, and prints what was seen. */
export async function runDoctor(
  invocation: Invocation,
  { json = false, allowPrivateNetwork = false }: DoctorOptions,
  typed: string,
  store: CredentialStore,
): Promise<ExitCode> {
  const { terminal, signal, global } = invocation
  const { url, entry } = await targetOf(typed, invocation, store)
  const [{ examine }, { reportOf }, { render }] = await Promise.all([
    import('./doctor/examine.ts'),
    import('./doctor/report.ts'),
    import('./doctor/render.ts'),
  ])
  if (terminal.isInteractive && !json) terminal.note(terminal.style.dim('Looking at the server …'))
  const note = (line: string) => terminal.note(terminal.style.dim(line))
  const seen = await examine(url, {
    store,
    signal,
    allowPrivateNetwork,
    env: terminal.env,
    ...(entry === undefined ? {} : { entry }),
    ...(global.verbose === true ? { note } : {}),
  })
  const report = reportOf(seen)
  const lines = json
    ? [JSON.stringify(report, null, 2)]
    : render(report, { columns: columnsOf(terminal), style: styleOf(terminal) })
  for (const line of lines) terminal.print(line)
  return { ok: exitCodes.success, problem: exitCodes.failure, unreachable: exitCodes.unreachable }[
    report.outcome
  ]
}

/** The server: a password in its URL is part of what is examined, although no command sends one. */
async function targetOf(
  typed: string,
  invocation: Invocation,
  store: CredentialStore,
): Promise<Pick<Server, 'url' | 'entry'>> {
  const isUrl = /^https?:\/\//i.test(typed) && URL.canParse(typed)
  return isUrl ? { url: new URL(typed), entry: undefined } : findServer(typed, invocation, store)
}

/** The width of the text: that of the terminal, but neither unreadably narrow nor wide. */
function columnsOf({ stdout, env }: Terminal): number {
  const columns = stdout.columns ?? Number(env['COLUMNS'])
  return Math.min(Math.max(Number.isInteger(columns) && columns > 0 ? columns : 80, 40), 120)
}

// The marks of the terminal are for standard error, and the result goes to standard output.
function styleOf({ stdout, style }: Terminal): Style {
  if (stdout.isTTY === true) return style
  const plain = (text: string) => text
  return { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }
}
