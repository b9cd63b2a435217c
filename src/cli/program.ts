/**
 * The program: its commands, and how their errors are reported.
 *
 * @module
 */
import { Command, CommanderError } from 'commander'
import { isCredentialError } from '../index.ts'
import type { AddCommand, GlobalOptions, RunCommand } from './command.ts'
import { type ExitCode, exitCodeOf, exitCodes, exitCodesHelp } from './exit-codes.ts'
import { InterruptedError, type Terminal } from './terminal.ts'
import { packageVersion } from './version.ts'

/** The commands, in the order of the help. Each file is imported on demand. */
const commands: Readonly<Record<string, () => Promise<AddCommand>>> = {
  login: async () => (await import('./login.ts')).addLogin,
  set: async () => (await import('./set.ts')).addSet,
  logout: async () => (await import('./logout.ts')).addLogout,
  list: async () => (await import('./list.ts')).addList,
  status: async () => (await import('./status.ts')).addStatus,
  doctor: async () => (await import('./doctor.ts')).addDoctor,
  token: async () => (await import('./token.ts')).addToken,
  headers: async () => (await import('./headers.ts')).addHeaders,
  exec: async () => (await import('./exec.ts')).addExec,
  proxy: async () => (await import('./proxy.ts')).addProxy,
  import: async () => (await import('./import.ts')).addImport,
  trust: async () => (await import('./trust.ts')).addTrust,
  key: async () => (await import('./key.ts')).addKey,
  completion: async () => (await import('./completion.ts')).addCompletion,
}

/** Parses a command line and runs the command. It throws nothing: errors determine the exit code. */
export async function runProgram(
  argv: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  let exitCode: number = exitCodes.success
  const run: RunCommand = (command) =>
    async function action(...given) {
      const global: GlobalOptions = this.optsWithGlobals()
      const values = given.slice(0, this.registeredArguments.length).flat() as string[]
      const code = await command({ terminal, signal, global }, this.opts() as never, ...values)
      exitCode = code ?? exitCodes.success
    }
  try {
    const program = await makeProgram(terminal, run, argv[0])
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    return report(error, terminal, signal)
  }
}

/**
 * Creates the program without running it.
 *
 * @param first - The first word of the command line. If it is a command, only that command is added;
 *   otherwise all are, for help and completion.
 */
export async function makeProgram(
  terminal: Terminal,
  run: RunCommand,
  first?: string,
): Promise<Command> {
  const program = new Command('mcp-credentials')
    .description('Logs in to MCP servers, stores credentials, and provides them to MCP clients.')
    .option('--config <file>', 'the config file; default: the usual places are searched')
    .option('--environment <name>', 'the environment of the config file: development, staging, …')
    .option('--account <name>', 'the account, for several logins at one server')
    .option('--tenant <name>', 'the tenant, for a server whose config entry has several')
    .option('--verbose', 'log HTTP requests and responses, without secrets')
    .version(packageVersion(), '-V, --version', 'print the version')
    .showHelpAfterError(helpHint())
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('afterAll', exitCodesHelp)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
  const isCommand = first !== undefined && Object.hasOwn(commands, first)
  for (const [name, load] of Object.entries(commands)) {
    if (isCommand && name !== first) continue
    const add = await load()
    add(program, run)
  }
  for (const command of program.commands) addHelpHints(command, command.name())
  return program
}

function helpHint(path = ''): string {
  return `Run \`npx mcp-credentials ${path}--help\` for help.`
}

/** Usage errors refer to the help of the command that has them. */
function addHelpHints(command: Command, path: string): void {
  command.showHelpAfterError(helpHint(`${path} `))
  for (const each of command.commands) addHelpHints(each, `${path} ${each.name()}`)
}

/** Prints the message of an error, without its stack. */
function report(error: unknown, terminal: Terminal, signal: AbortSignal): ExitCode {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? exitCodes.success : exitCodes.usage
  }
  if (error instanceof InterruptedError || signal.aborted) return exitCodes.interrupted
  const text = isCredentialError(error) ? error.message : unexpectedMessage(error)
  terminal.note(`${terminal.style.red('error')} ${text}`)
  return exitCodeOf(error)
}

/** Messages of other libraries may quote a secret, so only the class and the code are printed. */
function unexpectedMessage(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as Record<'name' | 'code' | 'cause', unknown>
  const inner = (cause as { readonly code?: unknown } | undefined)?.code
  const words = [name, code ?? inner].filter((word) => /^[A-Za-z]\w{0,63}$/.test(String(word)))
  return `Unexpected error (${words.join(', ') || typeof error}). Run it again with --verbose for details.`
}
