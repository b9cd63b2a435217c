/**
 * The command `exec`: starts a stdio server with its secrets in the environment.
 *
 * @module
 */
import { realpath, stat } from 'node:fs/promises'
import { constants } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { ConfiguredServer } from '../config/index.ts'
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { commandWord, printable, shown } from './labels.ts'
import { readConfig } from './server.ts'
import type { Terminal } from './terminal.ts'

const examples = `
The process receives the secrets of the server's config entry as environment variables, not as arguments. From the
shell's environment it receives only the variables that programs need, such as PATH and HOME. The exit code is that of
the process.

It starts in the folder that "cwd" of the entry names. Without "cwd", a program after -- starts in the current folder,
and the command of the entry starts in the project folder of the config file, as in other clients. Commands of your own
config files start in your home folder, where no project can place programs.

Examples:
  npx mcp-credentials exec files -- npx -y @modelcontextprotocol/server-filesystem /tmp
  The command of the entry itself:
    npx mcp-credentials exec files`

/** Adds the command. */
export const addExec: AddCommand = (program, run) => {
  program
    .command('exec')
    .description('start a server of the config file with its secrets in the environment')
    .argument('<name>', 'the name of the server in the config file')
    .argument(
      '[command...]',
      'the program and its arguments, after --; default: those of the entry',
    )
    .addHelpText('after', examples)
    .action(run((invocation, _options, name = '', ...argv) => exec(invocation, name, argv)))
}

async function exec(
  invocation: Invocation,
  name: string,
  given: readonly string[],
): Promise<number> {
  const { defaultStore } = await import('../auto/index.ts')
  const config = await readConfig(invocation, defaultStore())
  const entry = config.server(name)
  if (entry.kind === 'http') {
    throw new ConfigurationError('name', `The server ${shown(name)} has a URL, not a command.`, {
      remedy: `Connect a client to it with \`npx mcp-credentials proxy ${commandWord(name)}\`.`,
    })
  }
  const environment = await config.environmentOf(name, { signal: invocation.signal })
  const [program, ...args] = given.length > 0 ? given : await commandOf(name, entry)
  if (program === undefined || program === '') {
    throw new ConfigurationError('command', 'No program to start was given.', {
      remedy: `Add it: \`npx mcp-credentials exec ${commandWord(name)} -- program argument\`.`,
    })
  }
  const started = given.length > 0 ? undefined : entry.workspace
  const folder = entry.cwd ?? started ?? invocation.terminal.cwd
  if (entry.cwd !== undefined) await checkFolder(name, entry.cwd)
  return runChild(invocation, [program, ...args], environment, folder)
}

/** Without this check, a missing folder would be reported as a missing program. */
async function checkFolder(name: string, folder: string): Promise<void> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() === true) return
  throw new ConfigurationError('cwd', `The folder ${printable(folder)} does not exist.`, {
    remedy: `Create it, or correct \`cwd\` of ${shown(name)}.`,
  })
}

/**
 * The command of the entry. A relative path of the program is resolved against the folder of the entry or
 * of the trusted file, not against the current folder. A command with variables is refused: only the client
 * that the file was written for can expand them.
 */
async function commandOf(
  name: string,
  { command, args = [], file, cwd, workspace }: ConfiguredServer,
): Promise<readonly string[]> {
  if (command === undefined) return []
  if (![command, ...args].some((each) => each.includes('${'))) {
    const isPath = /[\\/]/.test(command) && !isAbsolute(command)
    const folder = cwd ?? workspace ?? dirname(await realpath(file))
    return [isPath ? resolve(folder, command) : command, ...args]
  }
  throw new ConfigurationError('command', `The command of ${name} contains variables.`, {
    remedy: `Pass the command with their values: \`npx mcp-credentials exec ${commandWord(name)} -- program argument\`.`,
  })
}

/** Variables that programs need, and those for the language: the ones that clients pass on to servers. */
const inherited =
  process.platform === 'win32'
    ? /^(?:APPDATA|HOMEDRIVE|HOMEPATH|LOCALAPPDATA|PATH|PATHEXT|PROCESSOR_ARCHITECTURE|PROGRAMFILES|SYSTEMDRIVE|SYSTEMROOT|TEMP|TMP|USERNAME|USERPROFILE)$/i
    : /^(?:HOME|LANG|LC_[A-Z]+|LOGNAME|PATH|SHELL|TERM|TMPDIR|TZ|USER)$/

/** Other variables of the shell may contain secrets of other servers or the key of the store. */
function inheritedOf(env: Terminal['env']): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => inherited.test(name)))
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

async function runChild(
  { terminal }: Invocation,
  [program, ...args]: readonly [string, ...string[]],
  environment: Readonly<Record<string, string>>,
  cwd: string,
): Promise<number> {
  const { spawn } = await import('node:child_process')
  const env = { ...inheritedOf(terminal.env), ...environment }
  const child = spawn(program, args, { stdio: 'inherit', env, cwd })
  const forward = (signal: NodeJS.Signals) => {
    // A terminal sends Ctrl-C to the child as well.
    if (signal !== 'SIGINT' || terminal.stdin.isTTY !== true) child.kill(signal)
  }
  for (const signal of signals) process.on(signal, forward)
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) => reject(notStarted(program, error)))
      child.once('exit', (code, signal) =>
        resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']),
      )
    })
  } finally {
    for (const signal of signals) process.off(signal, forward)
  }
}

function notStarted(program: string, { code }: NodeJS.ErrnoException): ConfigurationError {
  const why = code === 'ENOENT' ? 'is not installed' : `cannot be started (${code})`
  return new ConfigurationError('command', `The program ${program} ${why}.`, {
    remedy: 'Install it, or correct the command.',
  })
}
