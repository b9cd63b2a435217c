import { execFileSync } from 'node:child_process'

/** Ends the example with a sentence, where something that it needs is not installed. */
export function skip(reason: string): never {
  console.log(`Skipped: ${reason}`)
  process.exit(0)
}

/** Whether a program can be started. */
export function canRun(program: string, args: readonly string[] = ['--version']): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Ends the example where there is no `openssl` command line. */
export function needOpenssl(): void {
  if (canRun('openssl', ['version'])) return
  skip('this example needs the openssl command line. Install it: apt-get install openssl')
}
