/**
 * Any set of headers.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkSecret, describeSecret, readSecret } from '../secret.ts'
import { checkHeaderName } from './checks.ts'

/**
 * Sends headers of your choice, such as a tenant and a session token.
 *
 * @param values - The header names and their values.
 * @throws {@link ConfigurationError} when there is none, when a name is not a header name or
 * belongs to the transport (`Mcp-*`, `Accept`, `Content-Type`), or when a value cannot be sent.
 *
 * @example
 * ```ts
 * import { env, headers } from 'mcp-credentials'
 *
 * const provider = headers({ 'X-Tenant-ID': 'acme', 'X-Session-Token': env('SESSION_TOKEN') })
 * ```
 * @group Keys, tokens and passwords
 */
export function headers(values: Readonly<Record<string, Secret>>): CredentialProvider {
  const entries = Object.entries(values ?? {})
  if (entries.length === 0) {
    throw new ConfigurationError(
      'headers',
      "headers: pass at least one, as in { 'X-Tenant-ID': 'acme' }.",
    )
  }
  for (const [name, value] of entries) {
    checkHeaderName('headers', name)
    checkSecret(`headers['${name}']`, value)
  }
  return {
    name: 'headers',
    source: describeSecret(...entries.map(([, value]) => value)),
    async acquire({ signal }) {
      const read = await Promise.all(
        entries.map(
          async ([name, value]) =>
            [name, await readSecret(`headers['${name}']`, value, { signal })] as const,
        ),
      )
      return {
        apply(request) {
          for (const [name, value] of read) request.headers.set(name, value)
        },
      }
    },
  }
}
