/**
 * The error for a refusal that no renewal helps, where the application asks for one.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { type Channel, whereOf } from './credential-calls.ts'

/** The error of the option `throwOnRefusal`. */
export function finalRefusal(channel: Channel, status: number): CredentialError {
  const { port, source } = channel
  const { resource, provider: name } = port
  const text = `${refusedText(resource, { name, ...(source === undefined ? {} : { source }) })} with ${status}.`
  return new CredentialError(status === 403 ? 'forbidden' : 'unauthorized', text, {
    ...whereOf(channel),
    status,
    remedy: doctorStep(resource),
  })
}

/** Which server refused what. */
export function refusedText(
  resource: URL,
  { name, source }: Pick<CredentialProvider, 'name' | 'source'>,
): string {
  const sent = source === undefined ? name : `${name} from ${source}`
  return `${resourceLabel(resource)} refused the credential of ${sent}`
}

/** The sentence that ends an explanation. */
export function doctorStep(resource: URL): string {
  return `For a full check, run \`npx mcp-credentials doctor ${commandArgument(resource)}\`.`
}

/** A URL as a word of a command line. */
export function commandArgument(resource: URL): string {
  const label = resourceLabel(resource)
  return /^[\w:/.~%@+,=-]+$/.test(label) ? label : `'${label.replaceAll("'", '%27')}'`
}
