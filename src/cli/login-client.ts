/**
 * A login of a client for itself, without a person.
 *
 * @module
 */
import { ConfigurationError, type CredentialProvider } from '../index.ts'
import { clientCredentials } from '../oauth/index.ts'
import type { ClientOptions } from './login-options.ts'

/** Makes the provider. What it stores holds the secret, because it is renewed with that. */
export function loginProvider({ redirectUri: _, ...client }: ClientOptions): CredentialProvider {
  const { clientId, clientSecret } = client
  if (clientId === undefined || clientSecret === undefined) {
    throw new ConfigurationError('client-id', 'Add --client-id.')
  }
  return clientCredentials({ ...client, clientId, clientSecret, keepSecret: true })
}
