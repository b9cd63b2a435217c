/**
 * Checks of the headers that a credential may set.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { isTransportHeader } from '../transport-headers.ts'

/**
 * Checks the name of a header that a credential sets.
 *
 * @throws {@link ConfigurationError} when it is not a header name, or belongs to the transport.
 */
export function checkHeaderName(option: string, name: string): void {
  if (typeof name !== 'string' || !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) {
    throw new ConfigurationError(
      option,
      `${option} is not a header name; pass one such as X-API-Key.`,
    )
  }
  if (isTransportHeader(name)) {
    throw new ConfigurationError(
      option,
      `${option}: the header ${name} belongs to the transport; choose another for the credential.`,
    )
  }
}
