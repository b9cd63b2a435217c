/**
 * How a client proves to an authorization server which client it is.
 *
 * @module
 */
import * as client from 'openid-client'
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { readSecret } from '../secret.ts'
import {
  type AsymmetricAlgorithm,
  checkPrivateKey,
  importPrivateKey,
  isAsymmetricAlgorithm,
  type PrivateKey,
} from '../signing-key.ts'

/**
 * A method of client authentication: by name (RFC 6749 section 2.3, RFC 8705), or what
 * {@link privateKeyJwt} returns.
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
 * Authenticates the client by an assertion signed with its private key, good for a minute and one use.
 *
 * @throws `ConfigurationError` when not exactly one of `key` and `sign` is given, or the key does
 * not fit the algorithm.
 * @see RFC 7523, section 2.2; OpenID Connect Core 1.0, section 9
 *
 * @example
 * ```ts
 * import { file } from 'mcp-credentials'
 * import { clientCredentials, privateKeyJwt } from 'mcp-credentials/oauth'
 *
 * const provider = clientCredentials({
 *   clientId: 'nightly-agent',
 *   clientAuth: privateKeyJwt({ key: file('/run/secrets/client-key.pem'), keyId: '2026-11' }),
 * })
 * ```
 */
export function privateKeyJwt(
  options: {
    /** The signature algorithm, as registered with the server. Default `ES256`. */
    readonly algorithm?: AsymmetricAlgorithm
    /** The `kid` header, by which the server finds the public key. */
    readonly keyId?: string
    /**
     * The `aud` claim. Default: the issuer, which is the only audience that cannot be replayed elsewhere;
     * set `token_endpoint` for a server that predates that rule.
     */
    readonly audience?: 'issuer' | 'token_endpoint'
  } & (
    | {
        /** The private key: PEM, JWK, `CryptoKey`, or a source that is read when needed. */
        readonly key: PrivateKey
        /** Not together with `key`. */
        readonly sign?: never
      }
    | {
        /**
         * Signs bytes with a key that cannot be read, in an HSM or a cloud's key service. Resolves to the
         * raw signature; for ES256 and its siblings that is r and s one after the other, not DER.
         */
        readonly sign: (data: Uint8Array) => Promise<Uint8Array>
        /** Not together with `sign`. */
        readonly key?: never
      }
  ),
): Exclude<ClientAuthentication, string> {
  checkOptions('privateKeyJwt', options, ['key', 'sign', 'algorithm', 'keyId', 'audience'])
  const { key, sign, algorithm = 'ES256', keyId, audience = 'issuer' } = options
  if ((key === undefined) === (sign === undefined)) {
    throw new ConfigurationError(
      'privateKeyJwt.key',
      'privateKeyJwt: give either `key` or `sign`, the function of a key that cannot be read.',
    )
  }
  if (!isAsymmetricAlgorithm(algorithm)) {
    throw new ConfigurationError(
      'privateKeyJwt.algorithm',
      'privateKeyJwt.algorithm must be the JOSE name of a signature algorithm, such as ES256.',
    )
  }
  if (key !== undefined) checkPrivateKey('privateKeyJwt.key', key, algorithm)
  const toTokenEndpoint = audience === 'token_endpoint'
  return {
    method: 'private_key_jwt',
    async prepare(signal) {
      if (sign !== undefined) return externallySigned(sign, algorithm, keyId, toTokenEndpoint)
      if (key === undefined) throw new Error('unreachable')
      const imported = await importPrivateKey('privateKeyJwt.key', key, algorithm, signal)
      const named = keyId === undefined ? imported : { key: imported, kid: keyId }
      return (as, registered, body, headers) =>
        client.PrivateKeyJwt(named, {
          [client.modifyAssertion]: (header, payload) => {
            // Servers compare with what was registered, and EdDSA has two names (RFC 9864).
            header['alg'] = algorithm
            if (toTokenEndpoint) payload['aud'] = as.token_endpoint ?? as.issuer
          },
        })(as, registered, body, headers)
    },
  }
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

// jose has no hook for a signer outside the process, so the compact form is put together here.
function externallySigned(
  sign: (data: Uint8Array) => Promise<Uint8Array>,
  algorithm: AsymmetricAlgorithm,
  keyId: string | undefined,
  toTokenEndpoint: boolean,
): client.ClientAuth {
  return async (as, { client_id }, body) => {
    const { base64url } = await import('jose')
    const now = Math.floor(Date.now() / 1000)
    const header = { alg: algorithm, ...(keyId === undefined ? {} : { kid: keyId }) }
    const claims = {
      iss: client_id,
      sub: client_id,
      aud: toTokenEndpoint ? (as.token_endpoint ?? as.issuer) : as.issuer,
      jti: crypto.randomUUID(),
      iat: now,
      nbf: now,
      exp: now + 60,
    }
    const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}`
    const signature = await sign(new TextEncoder().encode(input))
    body.set('client_id', client_id)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', `${input}.${base64url.encode(signature)}`)
  }
}
