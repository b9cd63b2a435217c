/**
 * Where secrets come from, and the checks that keep them out of messages.
 *
 * @module
 */
import type { Secret } from './credential.ts'
import { nodeBuiltin } from './encoding.ts'
import { ConfigurationError, CredentialError, cleanText, isCredentialError } from './errors.ts'

// The core imports no Node built-in, so that it bundles for every platform; what it needs of Node it
// asks for when a source is read. These are the few members it uses.
interface NodeProcess {
  readonly env?: Readonly<Record<string, string | undefined>>
}
interface NodeFiles {
  readFile(path: string | URL, encoding: 'utf8'): Promise<string>
}
interface NodeUtil {
  parseEnv(text: string): Record<string, string>
}
interface NodeProcesses {
  spawn: Spawn
}
type Spawn = (
  file: string,
  args: readonly string[],
  options: { stdio: ['ignore', 'pipe', 'ignore']; shell: false; windowsHide: true },
) => ChildProcess
interface ChildProcess {
  readonly stdout: { on(event: 'data', listener: (chunk: Uint8Array) => void): void }
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'close', listener: (code: number | null) => void): void
  kill(signal: 'SIGKILL'): void
}

const maxOutput = 1024 * 1024
const longestTimer = 2 ** 31 - 1

/**
 * Reads a secret from an environment variable each time it is needed.
 *
 * @param name - The variable.
 * @param options.file - A `.env` file, parsed by Node's own loader, that is read when the variable
 * itself is not set. Nothing is added to the environment. Needs Node 20.16 or later.
 * @returns A source that throws {@link CredentialError} with the code `secret_unavailable` when
 * the variable is not set or is empty.
 * @throws {@link ConfigurationError} when the name is empty or contains `=`.
 *
 * @example
 * ```ts
 * import { apiKey, env } from 'mcp-credentials'
 *
 * const provider = apiKey({ value: env('MCP_API_KEY') })
 * ```
 */
export function env(
  name: string,
  options: { readonly file?: string | URL } = {},
): () => Promise<string> {
  if (typeof name !== 'string' || name === '' || name.includes('=') || name.includes('\0')) {
    throw new ConfigurationError('name', 'env: pass the name of a variable, such as MCP_API_KEY.')
  }
  return async () => {
    const own = nodeProcess()?.env?.[name]
    if (own !== undefined && own !== '') return own
    const { file: path } = options
    const value = path === undefined ? own : (await readEnvFile(path))[name]
    if (value !== undefined && value !== '') return value
    const state = value === undefined ? 'is not set' : 'is empty'
    const where = path === undefined ? '' : ` and ${String(path)} does not define it`
    throw unavailable(`the environment variable ${name} ${state}${where}.`, `Set ${name}.`)
  }
}

/**
 * Reads a secret from a file each time it is needed, without the line break at its end. Fits mounted
 * secrets and projected tokens that are replaced from outside.
 *
 * @param path - The file.
 * @returns A source that throws {@link CredentialError} with the code `secret_unavailable` when
 * the file cannot be read or is empty.
 * @throws {@link ConfigurationError} when the path is empty.
 */
export function file(path: string | URL): () => Promise<string> {
  if (String(path) === '') {
    throw new ConfigurationError('path', 'file: the path is empty; pass the path of the secret.')
  }
  return async () => {
    const text = withoutLineBreak(await readText(path))
    if (text !== '') return text
    throw unavailable(`the file ${String(path)} is empty.`, 'Write the secret into it.')
  }
}

/**
 * Runs a command each time the secret is needed and takes what it prints, without the line break at
 * its end. There is no shell, standard input is closed, and standard error is not shown.
 *
 * @param argv - The program and its arguments.
 * @param options.timeout - Seconds that it may take. Default 30.
 * @returns A source that throws {@link CredentialError} with the code `secret_unavailable` when
 * the command cannot be started, fails, prints nothing or takes too long.
 * @throws {@link ConfigurationError} when the program is missing or the time limit is not positive.
 *
 * @example
 * ```ts
 * import { bearer, command } from 'mcp-credentials'
 *
 * const provider = bearer(command(['gcloud', 'auth', 'print-access-token']))
 * ```
 */
export function command(
  argv: readonly string[],
  options: { readonly timeout?: number } = {},
): () => Promise<string> {
  const [program, ...args] = Array.isArray(argv) ? (argv as readonly string[]) : []
  if (program === undefined || program === '') {
    throw new ConfigurationError(
      'argv',
      "command: pass the program and its arguments as a list: ['op', 'read', …].",
    )
  }
  const limit = options.timeout ?? 30
  if (!(limit > 0 && Number.isFinite(limit))) {
    throw new ConfigurationError(
      'timeout',
      'command: `timeout` must be a positive number of seconds.',
    )
  }
  return async () => {
    const output = withoutLineBreak(await run(program, args, limit))
    if (output !== '') return output
    throw unavailable(`the command ${program} printed nothing.`, 'Run it by hand to see why.')
  }
}

/**
 * Checks a secret where it is written down, so that a mistake shows at construction.
 *
 * @throws {@link ConfigurationError} that names the option, and not the value.
 */
export function checkSecret(option: string, secret: Secret): void {
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
  const problem = headerValueProblem(secret)
  if (problem === undefined) return
  throw new ConfigurationError(
    option,
    `${option} ${problem}; pass the value itself, or env('NAME') to read it when it is needed.`,
  )
}

/**
 * Reads a secret and checks that it can go into a header.
 *
 * @throws {@link CredentialError} with the code `secret_unavailable`.
 */
export async function readSecret(
  option: string,
  secret: Secret,
  problemOf: (value: string) => string | undefined = headerValueProblem,
  signal?: AbortSignal,
): Promise<string> {
  const value = await evaluate(option, secret, signal)
  const problem = typeof value === 'string' ? problemOf(value) : 'is not a string'
  if (problem === undefined) return value
  throw unavailable(`${option} ${problem}.`, 'Correct what its source delivers.')
}

/** What keeps a value out of a header (RFC 9110, section 5.5); `undefined`: nothing. */
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
    if (isCredentialError(thrown)) {
      const text = thrown.message.startsWith(option)
        ? thrown.message
        : `${option}: ${thrown.message}`
      throw new CredentialError(thrown.code, text, { retryable: thrown.retryable })
    }
    // Parsers quote what they cannot read.
    const isParser = thrown instanceof SyntaxError || thrown instanceof TypeError
    const text = thrown instanceof Error ? cleanText(thrown.message) : typeof thrown
    const reason = isParser ? thrown.name : text
    throw unavailable(`${option}: its source failed: ${reason}.`)
  }
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
  return unavailable('files and commands can only be read on Node 20.16 or later.')
}

async function readText(path: string | URL): Promise<string> {
  const files = nodeBuiltin<NodeFiles>('node:fs/promises')
  if (files === undefined) throw noNode()
  try {
    return await files.readFile(path, 'utf8')
  } catch (error) {
    const code = (error as { code?: unknown }).code
    throw unavailable(
      `the file ${String(path)} cannot be read (${typeof code === 'string' ? code : 'unknown error'}).`,
      'Check the path and who may read it.',
    )
  }
}

async function readEnvFile(path: string | URL): Promise<Record<string, string>> {
  const text = await readText(path)
  const util = nodeBuiltin<NodeUtil>('node:util')
  if (util === undefined) throw noNode()
  return util.parseEnv(text)
}

function run(program: string, args: readonly string[], limit: number): Promise<string> {
  const processes = nodeBuiltin<NodeProcesses>('node:child_process')
  if (processes === undefined) return Promise.reject(noNode())
  // Standard input is closed, because a program that inherits the pipe of an MCP server waits on it
  // for ever; standard error is dropped, because programs print secrets there when they fail.
  const child = processes.spawn(program, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: false,
    windowsHide: true,
  })
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const fail = (what: string) => {
      clearTimeout(timer)
      reject(unavailable(`the command ${program} ${what}.`, 'Run it by hand to see why.'))
    }
    const timer = setTimeout(
      () => {
        child.kill('SIGKILL')
        fail(`took longer than ${limit} s`)
      },
      Math.min(limit * 1000, longestTimer),
    )
    child.on('error', (error) => {
      fail(`cannot be started (${(error as { code?: string }).code ?? 'unknown error'})`)
    })
    // Where no process can be started, there is no output either.
    child.stdout?.on('data', (chunk) => {
      size += chunk.length
      if (size <= maxOutput) chunks.push(chunk)
      else {
        child.kill('SIGKILL')
        fail('printed more than 1 MB')
      }
    })
    child.on('close', (code) => {
      if (code !== 0) return fail(code === null ? 'was killed' : `failed with exit status ${code}`)
      clearTimeout(timer)
      resolve(concatenated(chunks, size))
    })
  })
}

function concatenated(chunks: readonly Uint8Array[], size: number): string {
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return new TextDecoder().decode(bytes)
}
