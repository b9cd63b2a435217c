/**
 * How a client proves to an authorization server which client it is.
 *
 * @module
 */
import * as client from 'openid-client'
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { readSecret } from '../secret.ts'

/**
 * A method of client authentication: by name (RFC 6749 section 2.3, RFC 8705), or what
 * `privateKeyJwt()` returns.
 *
 * `client_secret_basic_unencoded` is for servers that do not decode the form encoding which RFC 6749,
 * section 2.3.1, asks for. `tls_client_auth` needs a `fetch` with a client certificate.
 */
export type ClientAuthentication =
  | 'none'
  | 'client_secret_basic'
  | 'client_secret_basic_unencoded'
  | 'client_secret_post'
  | 'client_secret_jwt'
  | 'tls_client_auth'
  | {
      /** The method's registered name. */
      readonly method: 'private_key_jwt'
      /** Who the assertion is for; it is sent to nobody else. */
      readonly audience: 'issuer' | 'token_endpoint'
      /** Makes the library's own form of it. */
      readonly prepare: (signal: AbortSignal) => Promise<client.ClientAuth>
    }

/** The methods that need a shared secret or nothing. */
export type SecretMethod = Extract<ClientAuthentication, string>

const methods: readonly string[] = [
  'none',
  'client_secret_basic',
  'client_secret_basic_unencoded',
  'client_secret_post',
  'client_secret_jwt',
  'tls_client_auth',
]

/** Whether a value names a method that needs a shared secret or nothing. */
export function isSecretMethod(value: unknown): value is SecretMethod {
  return typeof value === 'string' && methods.includes(value)
}

/**
 * Checks the combination of method and secret.
 *
 * @throws `ConfigurationError` when they do not go together.
 */
export function checkClientAuthentication(
  provider: string,
  auth: ClientAuthentication | undefined,
  secret: Secret | undefined,
): void {
  const option = `${provider}.clientAuth`
  if (typeof auth === 'object') {
    if (typeof auth?.prepare === 'function') return
    throw new ConfigurationError(option, `${option}: pass what privateKeyJwt({ … }) returns.`)
  }
  if (auth !== undefined && !isSecretMethod(auth)) {
    throw new ConfigurationError(
      option,
      `${option} must be one of ${methods.join(', ')}, or privateKeyJwt({ key }).`,
    )
  }
  if (auth?.startsWith('client_secret_') === true && secret === undefined) {
    throw new ConfigurationError(
      `${provider}.clientSecret`,
      `${option} is ${auth}, which needs \`clientSecret\`.`,
    )
  }
}

/** Makes the library's own form of a method; without one, the server's metadata decides. */
export async function prepareClientAuth(
  provider: string,
  auth: ClientAuthentication | undefined,
  secret: Secret | undefined,
  supported: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<client.ClientAuth> {
  if (typeof auth === 'object') return auth.prepare(signal)
  const method = auth ?? chooseMethod(secret !== undefined, supported)
  if (method === 'tls_client_auth') return client.TlsClientAuth()
  if (method === 'none' || secret === undefined) return client.None()
  const value = await readSecret(`${provider}.clientSecret`, secret, { signal })
  if (method === 'client_secret_post') return client.ClientSecretPost(value)
  if (method === 'client_secret_jwt') return client.ClientSecretJwt(value)
  const encode = method === 'client_secret_basic' ? formEncoded : (text: string) => text
  return (_as, { client_id }, _body, headers) => {
    headers.set('Authorization', `Basic ${btoa(`${encode(client_id)}:${encode(value)}`)}`)
  }
}

// openid-client escapes `-`, `_` and `.` too, which the encoding does not ask for; servers that forget to
// decode then know neither client nor secret (RFC 6749, section 2.3.1 and appendix B).
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
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
