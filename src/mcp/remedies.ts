/**
 * The commands that error messages advise.
 *
 * @module
 */
import { resourceLabel } from '../labels.ts'

/** The command that logs in. */
export function loginCommand(resource: URL, ...options: readonly string[]): string {
  return `\`${['npx mcp-credentials login', commandArgument(resource), ...options].join(' ')}\``
}

/** A URL as a word of a command line. */
export function commandArgument(resource: URL): string {
  const label = resourceLabel(resource)
  return /^[\w:/.~%@+,=-]+$/.test(label) ? label : `'${label.replaceAll("'", '%27')}'`
}
