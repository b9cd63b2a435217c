/**
 * The error for a final refusal, with the option `throwOnRefusal`.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { commandArgument, resourceLabel } from '../labels.ts'
import { sourceOf } from '../provider-source.ts'
import { type Channel, whereOf } from './credential-calls.ts'

/** The error of the option `throwOnRefusal`. */
export function finalRefusal(
  channel: Channel,
  credential: Credential,
  status: number,
): CredentialError {
  const { resource, provider } = channel.port
  const source = sourceOf(channel.source, credential)
  const text = `${refusedText(resource, provider, source)} with ${status}.`
  return new CredentialError(status === 403 ? 'forbidden' : 'unauthorized', text, {
    ...whereOf(channel),
    status,
    remedy: doctorStep(commandArgument(resource)),
  })
}

/** Describes which server refused which credential. */
export function refusedText(resource: URL, provider: string, source: string | undefined): string {
  const from = source === undefined ? '' : ` from ${source}`
  return `${resourceLabel(resource)} refused the credential of ${provider}${from}`
}

/** Returns the last sentence of an explanation; `url` is an argument of a command line. */
export function doctorStep(url: string): string {
  return `For a full check, run \`npx mcp-credentials doctor ${url}\`.`
}
