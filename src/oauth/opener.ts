/**
 * Opens the user's browser.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process'

/**
 * Opens a page in the default browser: with `open` on macOS, PowerShell on Windows and under WSL, `xdg-open`
 * elsewhere. All users of the machine can read the command line of these programs, so the URL must not
 * contain a secret.
 *
 * @returns Whether the program succeeded; `false` also when there is none.
 */
export async function openBrowser(url: string): Promise<boolean> {
  const { default: open } = await import('open')
  try {
    return (await exitCode(await open(url))) === 0
  } catch {
    return false
  }
}

/** The exit code of a process; `null` when it was killed. PowerShell has ended when `open` returns it. */
function exitCode(child: ChildProcess): Promise<number | null> | number | null {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  return new Promise((resolve) => child.once('exit', resolve))
}
