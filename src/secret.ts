/**
 * The sources of secrets, and the checks that keep secrets out of messages.
 *
 * @module
 */
import type { Secret } from './credential.ts'
import { nodeBuiltin } from './encoding.ts'
import {
  ConfigurationError,
  CredentialError,
  describeThrown,
  isCredentialError,
  systemErrorCode,
} from './errors.ts'
import { checkOptions } from './options.ts'
import { runCommand } from './run-command.ts'

// The core imports no Node built-in, so that it bundles for every platform; it loads what it needs of Node
// when a source is read. These are the few members that it uses.
interface NodeProcess {
  readonly env?: Readonly<Record<string, string | undefined>>
}
interface NodeFiles {
  readFile(path: string | URL, encoding: 'utf8'): Promise<string>
}
interface NodeUtil {
  parseEnv(text: string): Record<string, string>
}

/**
 * Reads a secret from an environment variable each time it is needed.
 *
 * @param name - The variable.
 * @param options.file - A `.env` file, parsed by Node's own loader, that is read when the variable
 * itself is not set. Nothing is added to the environment. Needs Node 20.16 or later.
 * @returns A source that throws {@link CredentialError} with the code `secret_unavailable` when the
 * variable is not set or is empty. The error is not retryable; the variable is read again after a
 * second, so that the process may set it later.
 * @throws {@link ConfigurationError} when the name is empty or contains `=`.
 *
 * @example
 * ```ts
 * import { apiKey, env } from 'mcp-credentials'
 *
 * const provider = apiKey({ value: env('MCP_API_KEY') })
 * ```
 * @group Secrets
 */
export function env(
  name: string,
  options: { readonly file?: string | URL } = {},
): () => Promise<string> {
  if (typeof name !== 'string' || name === '' || name.includes('=') || name.includes('\0')) {
    throw new ConfigurationError('name', 'env: pass the name of a variable, such as MCP_API_KEY.')
  }
  checkOptions('env', options, ['file'])
  const read = async () => {
    const own = nodeProcess()?.env?.[name]
    if (own !== undefined && own !== '') return own
    const { file: path } = options
    const value = path === undefined ? own : (await readEnvFile(path))[name]
    if (value !== undefined && value !== '') return value
    const state = value === undefined ? 'is not set' : 'is empty'
    const where = path === undefined ? '' : ` and ${String(path)} does not define it`
    // Not retryable, but the process may set the variable at any time, and reading it is cheap.
    const message = `the environment variable ${name} ${state}${where}.`
    throw new CredentialError('secret_unavailable', message, {
      retryAfter: 1,
      remedy: `Set ${name}.`,
    })
  }
  presentValues.set(read, () => nodeProcess()?.env?.[name] || undefined)
  return describedAs(`env('${name}')`, read)
}

/** The descriptions of this library's sources in messages. */
const descriptions = new WeakMap<object, string>()

/** Sets the description of a source of secrets for {@link describeSecret}; never a value. */
export function describedAs<T extends object>(description: string, source: T): T {
  descriptions.set(source, description)
  return source
}

/**
 * Describes where secrets come from, never their values: `env('MCP_API_KEY')`, `a function` or
 * `a value in the code`.
 *
 * @param secrets - Anything but a string is a source, such as a function or a key; `undefined` counts as absent.
 */
export function describeSecret(...secrets: readonly unknown[]): string {
  const texts = secrets.filter((secret) => secret !== undefined).map(describeOne)
  return [...new Set(texts)].join(' and ')
}

function describeOne(secret: unknown): string {
  if (typeof secret !== 'function') return 'a value in the code'
  return descriptions.get(secret) ?? 'a function'
}

/** The values of sources that can be read synchronously. */
const presentValues = new WeakMap<object, () => string | undefined>()

/**
 * Returns the current value of a secret, for a check before its first use; `undefined`: an asynchronous
 * source, or an environment variable that is not set yet.
 */
export function presentValue(secret: Secret): string | undefined {
  return typeof secret === 'string' ? secret : presentValues.get(secret)?.()
}

/**
 * Reads a secret from a file each time it is needed, without the line break at its end. Use it for mounted
 * secrets and projected tokens, which are replaced from outside.
 *
 * @param path - The file.
 * @returns A source that throws {@link CredentialError} with the code `secret_unavailable` when
 * the file cannot be read or is empty.
 * @throws {@link ConfigurationError} when the path is empty.
 *
 * @example
 * ```ts
 * import { bearer, file } from 'mcp-credentials'
 *
 * const provider = bearer(file('/var/run/secrets/mcp/token'))
 * ```
 * @group Secrets
 */
export function file(path: string | URL): () => Promise<string> {
  if (String(path) === '') {
    throw new ConfigurationError('path', 'file: the path is empty; pass the path of the secret.')
  }
  return describedAs(`file('${String(path)}')`, async () => {
    const text = withoutLineBreak(await readText(path))
    if (text !== '') return text
    throw unavailable(`the file ${String(path)} is empty.`, 'Write the secret into it.')
  })
}

/**
 * Runs a command each time the secret is needed and returns its output, without the line break at its end.
 * There is no shell and no terminal, standard input is closed, and standard error is not shown. When it takes
 * too long, or the secret is no longer needed, it is killed; except on Windows, so are the programs that it
 * started.
 *
 * @param argv - The program and its arguments.
 * @param options.timeout - Seconds that it may take. Default 30.
 * @returns A source that throws {@link CredentialError} with the code `secret_unavailable` when
 * the command cannot be started, fails, prints nothing or takes too long, and the reason of its signal
 * when that aborts.
 * @throws {@link ConfigurationError} when the program is missing or the time limit is not positive.
 *
 * @example
 * ```ts
 * import { bearer, command } from 'mcp-credentials'
 *
 * const provider = bearer(command(['gcloud', 'auth', 'print-access-token']))
 * ```
 * @group Secrets
 */
export function command(
  argv: readonly string[],
  options: { readonly timeout?: number } = {},
): (options?: { readonly signal?: AbortSignal | undefined }) => Promise<string> {
  checkOptions('command', options, ['timeout'])
  const [program, ...args] = Array.isArray(argv) ? (argv as readonly string[]) : []
  if (program === undefined || program === '') {
    throw new ConfigurationError(
      'argv',
      "command: pass the program and its arguments as a list: ['op', 'read', …].",
    )
  }
  const { timeout = 30 } = options
  if (!(timeout > 0 && Number.isFinite(timeout))) {
    throw new ConfigurationError(
      'timeout',
      'command: `timeout` must be a positive number of seconds.',
    )
  }
  const read = async ({ signal }: { readonly signal?: AbortSignal | undefined } = {}) => {
    const output = withoutLineBreak(await runCommand(program, args, { timeout, signal }))
    if (output !== '') return output
    throw unavailable(`the command ${program} printed nothing.`, 'Run it by hand to see why.')
  }
  // Arguments may hold a secret.
  return describedAs(`command(['${program}'${args.length === 0 ? '' : ', …'}])`, read)
}

/**
 * Checks a secret when a provider is made, so that a mistake is found at construction.
 *
 * @param problemOf - Returns what is wrong with a value; `undefined`: nothing. Default:
 * {@link headerValueProblem}.
 * @throws {@link ConfigurationError} that names the option, and not the value.
 */
export function checkSecret(
  option: string,
  secret: Secret,
  problemOf: (value: string) => string | undefined = headerValueProblem,
): void {
  if (typeof secret === 'function') return
  if (typeof (secret as { then?: unknown } | undefined)?.then === 'function') {
    throw new ConfigurationError(
      option,
      `${option} is a promise; await it, or pass a function that returns it.`,
    )
  }
  if (typeof secret !== 'string') {
    throw new ConfigurationError(
      option,
      `${option} is missing; pass a string, or env('NAME') to read it when it is needed.`,
    )
  }
  const problem = problemOf(secret)
  if (problem === undefined) return
  throw new ConfigurationError(
    option,
    `${option} ${problem}; pass the value itself, or env('NAME') to read it when it is needed.`,
  )
}

/** How {@link readSecret} reads. */
export interface ReadOptions {
  /** Aborts when the secret is no longer needed; it is passed to the source. */
  readonly signal: AbortSignal | undefined
  /** Returns what is wrong with a value; `undefined`: nothing. Default: {@link headerValueProblem}. */
  readonly problemOf?: (value: string) => string | undefined
}

/**
 * Reads a secret and checks that it can be used.
 *
 * @throws {@link CredentialError} with the code `secret_unavailable`, or the reason of the signal.
 */
export async function readSecret(
  option: string,
  secret: Secret,
  { signal, problemOf = headerValueProblem }: ReadOptions,
): Promise<string> {
  const value = await evaluate(option, secret, signal)
  const problem = typeof value === 'string' ? problemOf(value) : 'is not a string'
  if (problem === undefined) return value
  throw unavailable(`${option} ${problem}.`, `Check the value that ${sourceName(secret)} returns.`)
}

/** Returns why a value cannot be sent in a header (RFC 9110, section 5.5); `undefined`: it can. */
export function headerValueProblem(value: string): string | undefined {
  if (value === '') return 'is empty'
  if (/[\r\n\0]/.test(value)) return 'contains a line break or a NUL character'
  if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) return 'contains a character that no header can carry'
  if (/^[\t ]|[\t ]$/.test(value)) return 'begins or ends with white space'
  return undefined
}

async function evaluate(
  option: string,
  secret: Secret,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (typeof secret === 'string') return secret
  try {
    return await secret({ signal })
  } catch (thrown) {
    signal?.throwIfAborted()
    if (isCredentialError(thrown, 'secret_unavailable')) throw named(option, thrown)
    if (isCredentialError(thrown)) throw thrown
    // The message of foreign code may quote the secret or a response that contains it.
    throw unavailable(
      `${option} could not be read: ${sourceName(secret)} failed (${describeThrown(thrown)}).`,
      'Throw a CredentialError there to give details.',
    )
  }
}

/** The name of a secret's source in a sentence. */
function sourceName(secret: Secret): string {
  return (typeof secret === 'function' ? descriptions.get(secret) : undefined) ?? 'its source'
}

function named(option: string, error: CredentialError): CredentialError {
  return error.message.startsWith(option) ? error : prefixed(`${option}: `, error)
}

/** Returns the same error of a secret with a prefix that names its use. */
export function prefixed(words: string, error: CredentialError): CredentialError {
  const { code, message, remedy, retryable, retryAfter, provider } = error
  // A message ends with its remedy already.
  const isRemedied = remedy !== undefined && message.endsWith(remedy)
  const problem = isRemedied ? message.slice(0, -remedy.length).trimEnd() : message
  return new CredentialError(code, `${words}${problem}`, {
    retryable,
    ...(provider === undefined ? {} : { provider }),
    ...(remedy === undefined ? {} : { remedy }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}

function unavailable(message: string, remedy?: string): CredentialError {
  return new CredentialError('secret_unavailable', message, {
    retryable: true,
    ...(remedy === undefined ? {} : { remedy }),
  })
}

function withoutLineBreak(text: string): string {
  return text.replace(/\r?\n$/, '')
}

function nodeProcess(): NodeProcess | undefined {
  return (globalThis as { process?: NodeProcess }).process
}

function noNode(): CredentialError {
  return unavailable('files can only be read on Node 20.16 or later.')
}

async function readText(path: string | URL): Promise<string> {
  const files = nodeBuiltin<NodeFiles>('node:fs/promises')
  if (files === undefined) throw noNode()
  try {
    return await files.readFile(path, 'utf8')
  } catch (error) {
    throw unavailable(
      `the file ${String(path)} cannot be read (${systemErrorCode(error) ?? 'unknown error'}).`,
      'Check the path and its permissions.',
    )
  }
}

async function readEnvFile(path: string | URL): Promise<Record<string, string>> {
  const text = await readText(path)
  const util = nodeBuiltin<NodeUtil>('node:util')
  if (util === undefined) throw noNode()
  return util.parseEnv(text)
}
