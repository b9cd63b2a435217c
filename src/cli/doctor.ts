/**
 * `doctor`: looks at a server as a client would, and explains what it sees.
 *
 * @module
 */
import { ConfigurationError, type CredentialStore } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
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
    .argument('<url>', 'the URL of the MCP server; names of the config file are not taken')
    .option('--json', 'print the result as JSON')
    .option('--allow-private-network', 'follow the server to OAuth servers in private networks')
    .addHelpText('after', help)
    .action(
      run(async (invocation, options: DoctorOptions, url = '') => {
        const { defaultStore } = await import('../auto/index.ts')
        return runDoctor(invocation, options, url, defaultStore())
      }),
    )
}

/** Examines a server, and prints what was seen. */
export async function runDoctor(
  { terminal, signal, global }: Invocation,
  { json = false, allowPrivateNetwork = false }: DoctorOptions,
  typed: string,
  store: CredentialStore,
): Promise<ExitCode> {
  const url = urlOf(typed)
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

function urlOf(typed: string): URL {
  const isHttp = /^https?:\/\//i.test(typed)
  if (isHttp && URL.canParse(typed)) return new URL(typed)
  const other = `https://${typed}`
  const isHost = !typed.includes('://') && /[.:]|^localhost/.test(typed) && URL.canParse(other)
  throw new ConfigurationError('url', 'doctor: the argument is no URL of a server.', {
    remedy: isHost
      ? 'Begin it with https://.'
      : 'Pass the URL of the MCP server, such as https://mcp.example.com/mcp; a name of the config file does not do.',
  })
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
