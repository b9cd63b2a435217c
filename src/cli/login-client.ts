/**
 * A login with client credentials, without a user.
 *
 * @module
 */
import { ConfigurationError, type CredentialProvider } from '../index.ts'
import { clientCredentials } from '../oauth/index.ts'
import type { ClientOptions } from './login-options.ts'

/** Creates the provider. Its record contains the secret, which renewals need. */
export function loginProvider({ redirectUri: _, ...client }: ClientOptions): CredentialProvider {
  const { clientId, clientSecret } = client
  if (clientId === undefined || clientSecret === undefined) {
    throw new ConfigurationError('client-id', 'Add --client-id.')
  }
  return clientCredentials({ ...client, clientId, clientSecret, keepSecret: true })
}
