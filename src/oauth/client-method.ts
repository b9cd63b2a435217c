/**
 * Chooses how a client authenticates at a server: by the options, or as at the login.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import type { ClientAssertion } from './client-assertion.ts'
import {
  type AuthenticationMethod,
  chooseMethod,
  isSecretMethod,
  type SecretMethod,
} from './client-auth.ts'
import type { BoundOAuthOptions } from './options.ts'
import type { RegisteredClient } from './registration.ts'

/**
 * Chooses how a client authenticates.
 *
 * @param supported - The methods that the server lists.
 * @throws `ConfigurationError` when the options lack the secret or key of the login. Nothing may then be
 * sent: servers revoke a refresh token that arrives without its client's authentication.
 */
export function authenticationOf(
  provider: string,
  { clientAuth, clientSecret }: BoundOAuthOptions,
  { method, isDynamic, clientSecret: registeredSecret }: RegisteredClient,
  supported: readonly string[] | undefined,
): SecretMethod | ClientAssertion {
  if (isDynamic && isSecretMethod(method)) return method
  if (clientAuth !== undefined) return clientAuth
  const secret = clientSecret ?? registeredSecret
  if (method === undefined || method === 'none')
    return chooseMethod(secret !== undefined, supported)
  if (method.startsWith('client_secret_') && secret !== undefined) return method as SecretMethod
  throw withoutMeans(provider, method)
}

/** The registered name of a method. */
export function nameOf(method: SecretMethod | ClientAssertion): AuthenticationMethod {
  return typeof method === 'object' ? method.method : method
}

const means: Readonly<Partial<Record<AuthenticationMethod, string>>> = {
  client_secret_jwt: '`clientAuth: clientSecretJwt({ secret })`',
  private_key_jwt: '`clientAuth: privateKeyJwt({ key })`',
  tls_client_auth: "`clientAuth: 'tls_client_auth'`, and a `fetch` that presents the certificate",
}

function withoutMeans(provider: string, method: AuthenticationMethod): ConfigurationError {
  const advice = means[method] ?? '`clientSecret`'
  const option = means[method] === undefined ? 'clientSecret' : 'clientAuth'
  return new ConfigurationError(
    `${provider}.${option}`,
    `${provider}: the client of the stored login authenticates by ${method}, and the options lack its secret or key. Nothing was sent.`,
    { provider, remedy: `Pass ${advice}, with the \`clientId\` and the \`issuer\` of the login.` },
  )
}
