/**
 * The terminal of a command. Results go to standard output, everything else to standard error.
 *
 * @module
 */
import type { Readable, Writable } from 'node:stream'
import { ConfigurationError } from '../index.ts'

/** A stream that may be a terminal. */
type Stream<S> = S & { readonly isTTY?: boolean; readonly columns?: number }

/** The parts of the process that a command uses. */
export interface Terminal {
  readonly stdin: Stream<Readable>
  readonly stdout: Stream<Writable>
  readonly stderr: Stream<Writable>
  readonly env: Readonly<Record<string, string | undefined>>
  /** The current folder. */
  readonly cwd: string
  /** Whether the user can be asked: standard input and standard error are terminals, and `CI` is not set. */
  readonly isInteractive: boolean
  /** Writes a line of the result to standard output. */
  print(line: string): void
  /** Writes a line for the user, such as progress, to standard error. */
  note(line: string): void
  /** Styles for standard error; without colours they change nothing. */
  readonly style: Style
  /** Asks for a text that is not a secret; `undefined`: the session is not interactive. */
  askText(question: string): Promise<string | undefined>
  /**
   * Asks for a secret without showing it.
   *
   * @throws {@link ConfigurationError} when the input is empty, or when the session is not interactive and
   *   not exactly one line was piped in.
   */
  askSecret(question: string): Promise<string>
  /**
   * Asks for several secrets, one after another. From a pipe, one line is read for each, in this order.
   *
   * @throws {@link ConfigurationError} as {@link Terminal.askSecret}.
   */
  askSecrets(questions: readonly string[]): Promise<readonly string[]>
  /**
   * Asks a yes-or-no question. `fallback` is the default of the prompt, and the result if the session is
   * not interactive.
   */
  confirm(question: string, fallback: boolean): Promise<boolean>
}

/** Functions that style a text. */
export type Style = Readonly<
  Record<'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', (text: string) => string>
>

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const

/**
 * The terminal of this process.
 *
 * @param signal - Cancels a pending prompt.
 */
export function processTerminal(signal?: AbortSignal): Terminal {
  const { stdin, stdout, stderr, env } = process
  return makeTerminal({ stdin, stdout, stderr, env, cwd: process.cwd() }, signal)
}

/** Creates a terminal from streams; tests pass their own. */
export function makeTerminal(
  streams: Pick<Terminal, 'stdin' | 'stdout' | 'stderr' | 'env' | 'cwd'>,
  signal?: AbortSignal,
): Terminal {
  const { stdin, stdout, stderr, env } = streams
  const place = { input: stdin, output: stderr, ...(signal === undefined ? {} : { signal }) }
  const isInteractive = stdin.isTTY === true && stderr.isTTY === true && isUnset(env['CI'])
  const askSecrets = (questions: readonly string[]) =>
    isInteractive ? promptSecrets(place, questions) : pipedSecrets(stdin, questions.length, signal)
  return {
    ...streams,
    isInteractive,
    style: makeStyle(stderr.isTTY === true && isUnset(env['NO_COLOR']) && env['TERM'] !== 'dumb'),
    print: (line) => void stdout.write(`${line}\n`),
    note: (line) => void stderr.write(`${line}\n`),
    askText: async (question) => (isInteractive ? promptText(place, question) : undefined),
    askSecret: async (question) => (await askSecrets([question]))[0] ?? '',
    askSecrets,
    confirm: async (question, fallback) =>
      isInteractive ? promptConfirm(place, question, fallback) : fallback,
  }
}

// NO_COLOR and CI take effect when they are set and not empty (no-color.org).
function isUnset(value: string | undefined): boolean {
  return value === undefined || value === ''
}

function makeStyle(hasColours: boolean): Style {
  const mark =
    ([start, end]: readonly [number, number]) =>
    (text: string) =>
      hasColours ? `\u001b[${start}m${text}\u001b[${end}m` : text
  return {
    bold: mark(codes.bold),
    dim: mark(codes.dim),
    red: mark(codes.red),
    green: mark(codes.green),
    yellow: mark(codes.yellow),
    cyan: mark(codes.cyan),
  }
}

/** Thrown when the user ends a prompt with Ctrl-C. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
}

/** The streams of a prompt, and the signal that cancels it. */
interface Place {
  readonly input: Terminal['stdin']
  readonly output: Terminal['stderr']
  readonly signal?: AbortSignal
}

async function promptSecret(place: Place, message: string): Promise<string> {
  const { isCancel, password } = await import('@clack/prompts')
  const answer = await password({ message, ...place })
  if (isCancel(answer)) throw new InterruptedError()
  return answer
}

async function promptSecrets(
  place: Place,
  questions: readonly string[],
): Promise<readonly string[]> {
  const answers: string[] = []
  for (const question of questions) {
    const answer = await promptSecret(place, question)
    if (answer === '') throw noSecret('Nothing was entered.', 'Run the command again.')
    answers.push(answer)
  }
  return answers
}

function noSecret(problem: string, remedy: string): ConfigurationError {
  return new ConfigurationError('stdin', problem, { remedy })
}

async function promptText(place: Place, message: string): Promise<string> {
  const { isCancel, text } = await import('@clack/prompts')
  const answer = await text({ message, ...place })
  if (isCancel(answer)) throw new InterruptedError()
  return answer
}

async function promptConfirm(
  place: Place,
  message: string,
  initialValue: boolean,
): Promise<boolean> {
  const { isCancel, confirm } = await import('@clack/prompts')
  const answer = await confirm({ message, initialValue, ...place })
  if (isCancel(answer)) throw new InterruptedError()
  return answer
}

/** The most characters that are read; no secret is longer. */
const maxSecretLength = 65_536

async function pipedSecrets(
  stdin: Terminal['stdin'],
  count: number,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const remedy =
    count === 1
      ? 'Pipe the secret in, as one line: `pass show mcp | npx mcp-credentials …`.'
      : `Pipe the ${count} secrets in, one line each, in the order of the options.`
  if (stdin.isTTY === true) throw noSecret('There is no terminal for the secret.', remedy)
  const text = await pipedText(stdin, signal)
  if (text.length > maxSecretLength) throw noSecret('The piped text is too long.', remedy)
  const lines = text.replace(/\r?\n$/, '').split(/\r\n|[\r\n]/)
  if (lines.every((line) => line === '')) throw noSecret('The piped text is empty.', remedy)
  if (lines.length !== count) {
    const found = lines.length === 1 ? 'one line' : `${lines.length} lines`
    throw noSecret(`The piped text has ${found}.`, remedy)
  }
  if (lines.includes('')) throw noSecret('A line of the piped text is empty.', remedy)
  return lines
}

async function pipedText(
  stdin: Terminal['stdin'],
  signal: AbortSignal | undefined,
): Promise<string> {
  if (signal?.aborted === true) throw new InterruptedError()
  const stop = () => void stdin.destroy(new InterruptedError())
  signal?.addEventListener('abort', stop, { once: true })
  let text = ''
  try {
    stdin.setEncoding('utf8')
    for await (const chunk of stdin) {
      text += String(chunk)
      if (text.length > maxSecretLength) break
    }
    return text
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
