/**
 * Runs a command in a pseudo-terminal.
 *
 * @module
 */
import { spawn } from 'node:child_process'

/** The width of the terminal, in characters. */
export const columns = 100

/** How a command is run. */
export interface RunOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Acts as the user, whenever something new is on the screen. */
  readonly watch?: (output: string) => void
}

/**
 * Runs a program with its arguments, and resolves to what a terminal receives: standard output and standard error.
 * It needs `script` of util-linux.
 *
 * @throws `Error` when the program fails, or takes longer than a minute.
 */
export async function runInTerminal(
  argv: readonly string[],
  { cwd, env, watch }: RunOptions,
): Promise<string> {
  const words = argv.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
  // A pseudo-terminal without a window behind it would be none columns wide.
  const command = `stty columns ${columns} rows 40; exec ${words.join(' ')}`
  const options = ['--quiet', '--flush', '--return', '--command', command, '/dev/null']
  const child = spawn('script', options, { cwd, env, timeout: 60_000 })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    watch?.(output)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}:\n${output}`)
  return output
}
