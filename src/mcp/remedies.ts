/**
 * Commands in the remedies of errors.
 *
 * @module
 */
import { commandArgument } from '../labels.ts'

/** The command that logs in. */
export function loginCommand(resource: URL, ...options: readonly string[]): string {
  return `\`${['npx mcp-credentials login', commandArgument(resource), ...options].join(' ')}\``
}
