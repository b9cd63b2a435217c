/**
 * Client authentication at an authorization server.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import type { ClientAssertion } from './client-assertion.ts'

/**
 * A method of client authentication: by name (RFC 6749 section 2.3, RFC 8705), or what
 * `privateKeyJwt()` and `clientSecretJwt()` return.
 *
 * `client_secret_basic_unencoded` is for servers that do not decode the form encoding that RFC 6749, section
 * 2.3.1, requires. `tls_client_auth` needs a `fetch` with a client certificate.
 *
 * @group Client authentication
 */
export type ClientAuthentication =
  | 'none'
  | 'client_secret_basic'
  | 'client_secret_basic_unencoded'
  | 'client_secret_post'
  | 'tls_client_auth'
  | ClientAssertion

/** The methods that need a shared secret or nothing; a client that registers itself is given one of them. */
export type SecretMethod = Extract<ClientAuthentication, string> | 'client_secret_jwt'

/** The registered name of any method. */
export type AuthenticationMethod = SecretMethod | 'private_key_jwt'

const methods: readonly string[] = [
  'none',
  'client_secret_basic',
  'client_secret_basic_unencoded',
  'client_secret_post',
  'tls_client_auth',
]

/** Whether a value names a method that needs a shared secret or nothing. */
export function isSecretMethod(value: unknown): value is SecretMethod {
  return value === 'client_secret_jwt' || isNamedMethod(value)
}

/** Whether a value names a method of any kind. */
export function isAuthenticationMethod(value: unknown): value is AuthenticationMethod {
  return value === 'private_key_jwt' || isSecretMethod(value)
}

function isNamedMethod(value: unknown): boolean {
  return typeof value === 'string' && methods.includes(value)
}

/**
 * Checks the combination of method and secret.
 *
 * @throws `ConfigurationError` when they cannot be combined.
 */
export function checkClientAuthentication(
  provider: string,
  auth: ClientAuthentication | undefined,
  secret: Secret | undefined,
): void {
  const option = `${provider}.clientAuth`
  if (typeof auth === 'object') {
    if (typeof auth?.prepare !== 'function') {
      throw new ConfigurationError(
        option,
        `${option}: pass what privateKeyJwt({ … }) or clientSecretJwt({ … }) returns.`,
      )
    }
    if (auth.method === 'private_key_jwt' || secret === undefined) return
    throw new ConfigurationError(
      `${provider}.clientSecret`,
      `${provider}.clientSecret is not used by clientSecretJwt(), which has its own secret; leave it out.`,
    )
  }
  if (auth !== undefined && !isNamedMethod(auth)) {
    throw new ConfigurationError(
      option,
      `${option} must be one of ${methods.join(', ')}, or privateKeyJwt({ key }) or clientSecretJwt({ secret }).`,
    )
  }
  if (auth?.startsWith('client_secret_') === true && secret === undefined) {
    throw new ConfigurationError(
      `${provider}.clientSecret`,
      `${option} is ${auth}, which needs \`clientSecret\`.`,
    )
  }
}

/** The strongest method that a secret allows and the server lists (RFC 8414: Basic if it lists none). */
export function chooseMethod(
  hasSecret: boolean,
  supported: readonly string[] | undefined,
): SecretMethod {
  if (!hasSecret) return 'none'
  if (supported === undefined || supported.includes('client_secret_basic')) {
    return 'client_secret_basic'
  }
  if (supported.includes('client_secret_post')) return 'client_secret_post'
  return supported.includes('client_secret_jwt') ? 'client_secret_jwt' : 'client_secret_basic'
}
