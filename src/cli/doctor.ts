/**
 * The command `doctor`: examines a server as a client without a credential, and explains the result.
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
It sends the requests of a client without a credential, reads the metadata that
the server publishes, and simulates a login up to the point where the browser
would open. It registers, stores and changes nothing. The output contains no
secrets, so it can be pasted into an issue.

Examples:
  npx mcp-credentials doctor https://mcp.example.com/mcp
  npx mcp-credentials doctor https://mcp.example.com/mcp --json
  npx mcp-credentials doctor crm

The exit code is 0 without problems, 1 with problems, 5 if the server is unreachable.

--json prints one object: version (1), url, examinedAt, outcome (ok, problem,
unreachable), findings (id, verdict: ok, note or problem, text, remedy, issuer),
recommendation (provider, reason, command, code: sdkV2, sdkV1, fetch; mcpJson).
`

/** Adds the command. */
export const addDoctor: AddCommand = (program, run) => {
  program
    .command('doctor')
    .summary('examine a server: which credential it requires, and what is wrong')
    .description('Examines an MCP server as a client would, and explains the result.')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--json', 'print the result as JSON')
    .option('--allow-private-network', 'contact OAuth servers in private networks')
    .addHelpText('after', help)
    .action(
      run(async (invocation, options: DoctorOptions, server = '') => {
        const { defaultStore } = await import('../auto/index.ts')
        return runDoctor(invocation, options, server, defaultStore())
      }),
    )
}

/** Examines a server, and prints the report. */
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
  if (terminal.isInteractive && !json) terminal.note(terminal.style.dim('Examining the server …'))
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

/** The server; a password in its URL is reported, and not sent. */
async function targetOf(
  typed: string,
  invocation: Invocation,
  store: CredentialStore,
): Promise<Pick<Server, 'url' | 'entry'>> {
  const isUrl = /^https?:\/\//i.test(typed) && URL.canParse(typed)
  return isUrl ? { url: new URL(typed), entry: undefined } : findServer(typed, invocation, store)
}

/** The width of the text: that of the terminal, from 40 to 120 characters. */
function columnsOf({ stdout, env }: Terminal): number {
  const columns = stdout.columns ?? Number(env['COLUMNS'])
  return Math.min(Math.max(Number.isInteger(columns) && columns > 0 ? columns : 80, 40), 120)
}

// The style of the terminal is for standard error; the report goes to standard output.
function styleOf({ stdout, style }: Terminal): Style {
  if (stdout.isTTY === true) return style
  const plain = (text: string) => text
  return { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }
}
