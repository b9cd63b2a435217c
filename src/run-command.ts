/**
 * Runs a program and returns its output.
 *
 * @module
 */
import { nodeBuiltin } from './encoding.ts'
import { CredentialError, systemErrorCode } from './errors.ts'

// The core imports no Node built-in, so that it bundles for every platform; these are the few members
// it uses of them at run time.
interface NodeProcesses {
  spawn(
    file: string,
    args: readonly string[],
    options: {
      stdio: ['ignore', 'pipe', 'ignore']
      shell: false
      windowsHide: true
      detached: boolean
      env: Readonly<Record<string, string | undefined>>
    },
  ): ChildProcess
}
interface ChildProcess {
  readonly pid?: number
  /** Absent when the program could not be started. */
  readonly stdout?: {
    on(event: 'data', listener: (chunk: Uint8Array) => void): void
    destroy(): void
  } | null
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'exit' | 'close', listener: (code: number | null) => void): void
  kill(signal: 'SIGKILL'): void
  unref(): void
}
interface NodeProcess {
  readonly platform: string
  readonly env: Readonly<Record<string, string | undefined>>
  kill(pid: number, signal: 'SIGKILL'): void
}

/** How {@link runCommand} runs a program. */
export interface RunOptions {
  /** Seconds that it may take. */
  readonly timeout: number
  /** Kills the program. */
  readonly signal: AbortSignal | undefined
}

const maxOutput = 1024 * 1024
const longestTimer = 2 ** 31 - 1
/** Milliseconds for output that is still in the pipe when the program has ended. */
const drainTime = 100

/**
 * Runs a program without a shell and returns its standard output. When it takes too long, prints too much or
 * is aborted, it is killed together with the programs that it started.
 *
 * This process does not wait for programs that it leaves running in the background.
 *
 * @throws {@link CredentialError} with the code `secret_unavailable`, or the reason of the signal.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  { timeout, signal }: RunOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const child = start(program, args)
    const output = outputOf(child, () => stop('printed more than 1 MB'))
    const ended = new AbortController()
    const settle = (conclude: () => void) => {
      if (ended.signal.aborted) return
      ended.abort()
      clearTimeout(limit)
      // A program in the background may keep the other end of the pipe open indefinitely.
      child.stdout?.destroy()
      conclude()
    }
    const fail = (what: string) => settle(() => reject(failure(program, what)))
    const stop = (what: string) => {
      endGroup(child)
      fail(what)
    }
    const finish = (code: number | null) => {
      if (code === 0) settle(() => resolve(output.text()))
      else fail(code === null ? 'was killed' : `failed with exit status ${code}`)
    }
    const giveUp = () => {
      endGroup(child)
      settle(() => reject(signal?.reason))
    }
    signal?.addEventListener('abort', giveUp, { once: true, signal: ended.signal })
    const limit = setTimeout(
      () => stop(`took longer than ${timeout} s`),
      Math.min(timeout * 1000, longestTimer),
    )
    child.on('error', (error) => fail(`cannot be started (${codeOf(error)})`))
    child.on('close', finish)
    child.on('exit', (code) => whenDrained(output, ended.signal, () => finish(code)))
  })
}

/** What a program has printed so far. */
interface Output {
  size: number
  text(): string
}

function outputOf(child: ChildProcess, onOverflow: () => void): Output {
  const chunks: Uint8Array[] = []
  const output: Output = { size: 0, text: () => textOf(chunks, output.size) }
  child.stdout?.on('data', (chunk) => {
    output.size += chunk.length
    if (output.size <= maxOutput) chunks.push(chunk)
    else onOverflow()
  })
  return output
}

/** Waits until nothing more comes out of the pipe, which a program in the background may keep open. */
function whenDrained(output: Output, ended: AbortSignal, then: () => void): void {
  if (ended.aborted) return
  const { size } = output
  const timer = setTimeout(() => {
    // The second timer gives the pipe time to be read when this process was busy for longer than the first.
    setTimeout(() => (output.size === size ? then() : whenDrained(output, ended, then)), 0)
  }, drainTime)
  ended.addEventListener('abort', () => clearTimeout(timer), { once: true })
}

function start(program: string, args: readonly string[]): ChildProcess {
  const processes = nodeBuiltin<NodeProcesses>('node:child_process')
  if (processes === undefined) {
    throw new CredentialError(
      'secret_unavailable',
      'commands can only be run on Node 20.16 or later.',
      { retryable: true },
    )
  }
  try {
    // Standard input is closed, because a program that inherits the pipe of an MCP server would wait on it
    // indefinitely. Standard error is dropped, because programs print secrets there when they fail.
    return processes.spawn(program, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      shell: false,
      windowsHide: true,
      // A separate process group, so that it can be killed with all that it started.
      detached: hasGroups(),
      env: environment(),
    })
  } catch (error) {
    // The error quotes the arguments.
    throw failure(program, `cannot be started (${codeOf(error)})`)
  }
}

/** The variables of this process without the key of the store, which decrypts all that is stored. */
function environment(): Readonly<Record<string, string | undefined>> {
  const variables = Object.entries(nodeProcess()?.env ?? {})
  return Object.fromEntries(
    variables.filter(([name]) => !name.toUpperCase().startsWith('MCP_CREDENTIALS_KEY')),
  )
}

/** Kills the program and what it started; on Windows, which has no process groups, the program alone. */
function endGroup(child: ChildProcess): void {
  try {
    if (hasGroups() && child.pid !== undefined) nodeProcess()?.kill(-child.pid, 'SIGKILL')
    else child.kill('SIGKILL')
  } catch {
    // It has already exited.
  }
  child.unref()
}

function hasGroups(): boolean {
  return nodeProcess()?.platform !== 'win32'
}

function nodeProcess(): NodeProcess | undefined {
  return (globalThis as { process?: NodeProcess }).process
}

function codeOf(error: unknown): string {
  return systemErrorCode(error) ?? 'unknown error'
}

function failure(program: string, what: string): CredentialError {
  return new CredentialError('secret_unavailable', `the command ${program} ${what}.`, {
    retryable: true,
    remedy: 'Run it by hand to see why.',
  })
}

function textOf(chunks: readonly Uint8Array[], size: number): string {
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return new TextDecoder().decode(bytes)
}
