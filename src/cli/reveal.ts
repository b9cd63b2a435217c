/**
 * Refuses to print secrets to a terminal without --reveal.
 *
 * @module
 */
import { ConfigurationError } from '../index.ts'
import type { Terminal } from './terminal.ts'

/**
 * @throws `ConfigurationError` when standard output is a terminal and `reveal` is not set.
 */
export function refuseTerminal({ stdout }: Terminal, reveal: boolean | undefined): void {
  if (reveal === true || stdout.isTTY !== true) return
  throw new ConfigurationError('reveal', 'A secret would be shown on this terminal.', {
    remedy: 'Pipe it to a program, or add --reveal.',
  })
}
