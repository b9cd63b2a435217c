/**
 * The program: its commands, and what happens around each of them.
 *
 * @module
 */
import { Command, CommanderError } from 'commander'
import { isCredentialError } from '../index.ts'
import type { AddCommand, GlobalOptions, RunCommand } from './command.ts'
import { type ExitCode, exitCodeOf, exitCodes, exitCodesHelp } from './exit-codes.ts'
import { InterruptedError, type Terminal } from './terminal.ts'
import { packageVersion } from './version.ts'

/** The commands in the order of the help. Each is a file that is loaded when it is needed. */
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

/** Parses a command line and runs the command. Nothing is thrown: the exit code says how it went. */
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
 * Makes the program without running it.
 *
 * @param first - The first word of the command line. Where it is a command, the program has that one alone; where it
 * is not, as for help and completion, it has all of them.
 */
export async function makeProgram(
  terminal: Terminal,
  run: RunCommand,
  first?: string,
): Promise<Command> {
  const program = new Command('mcp-credentials')
    .description('Logs in to MCP servers, keeps their credentials, and lends them to clients.')
    .option('--config <file>', 'the config file, instead of the usual places')
    .option('--environment <name>', 'the environment of the config file: development, staging, …')
    .option('--account <name>', 'tells several logins at one server apart')
    .option('--tenant <name>', 'the tenant, of a server whose config has several')
    .option('--verbose', 'show the HTTP conversation, without secrets')
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
  for (const command of program.commands) nameHelp(command, command.name())
  return program
}

function helpHint(path = ''): string {
  return `Run \`npx mcp-credentials ${path}--help\` to see what can be done.`
}

/** A mistake in the words of a command leads to the help of that command. */
function nameHelp(command: Command, path: string): void {
  command.showHelpAfterError(helpHint(`${path} `))
  for (const each of command.commands) nameHelp(each, `${path} ${each.name()}`)
}

/** Says what went wrong in a sentence; a stack is of no use to whoever typed the command. */
function report(error: unknown, terminal: Terminal, signal: AbortSignal): ExitCode {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? exitCodes.success : exitCodes.usage
  }
  if (error instanceof InterruptedError || signal.aborted) return exitCodes.interrupted
  const text = isCredentialError(error) ? error.message : unexpected(error)
  terminal.note(`${terminal.style.red('error')} ${text}`)
  return exitCodeOf(error)
}

/** Foreign messages may quote a secret, so its class and code have to do. */
function unexpected(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as Record<'name' | 'code' | 'cause', unknown>
  const inner = (cause as { readonly code?: unknown } | undefined)?.code
  const words = [name, code ?? inner].filter((word) => /^[A-Za-z]\w{0,63}$/.test(String(word)))
  return `Unexpected error (${words.join(', ') || typeof error}). Add --verbose to see how far it got.`
}
