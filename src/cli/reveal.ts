/**
 * Secrets go to a pipe, and to a terminal only where that was asked for.
 *
 * @module
 */
import { ConfigurationError } from '../index.ts'
import type { Terminal } from './terminal.ts'

/**
 * @throws `ConfigurationError` when a secret would be shown on a terminal that nobody has asked for.
 */
export function refuseTerminal({ stdout }: Terminal, reveal: boolean | undefined): void {
  if (reveal === true || stdout.isTTY !== true) return
  throw new ConfigurationError('reveal', 'A secret would be shown on this terminal.', {
    remedy: 'Send it to a program through a pipe, or add --reveal.',
  })
}
