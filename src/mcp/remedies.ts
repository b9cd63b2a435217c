/**
 * The commands and calls that error messages advise.
 *
 * @module
 */
import { resourceLabel } from '../labels.ts'

/** The sentence that ends every explanation. */
export function doctorStep(resource: URL): string {
  return `For a full check, run \`npx mcp-credentials doctor ${argument(resource)}\`.`
}

/** The command that logs in. */
export function loginCommand(resource: URL, ...options: readonly string[]): string {
  return `\`${['npx mcp-credentials login', argument(resource), ...options].join(' ')}\``
}

/** The URL as a word of a command line. */
function argument(resource: URL): string {
  const label = resourceLabel(resource)
  return /^[\w:/.~%@+,=-]+$/.test(label) ? label : `'${label.replaceAll("'", '%27')}'`
}
