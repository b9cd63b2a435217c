/**
 * Client authentication by a signed assertion (`private_key_jwt`).
 *
 * @module
 */
import * as client from 'openid-client'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import {
  type AsymmetricAlgorithm,
  checkPrivateKey,
  importPrivateKey,
  isAsymmetricAlgorithm,
  type PrivateKey,
} from '../signing-key.ts'
import type { ClientAuthentication } from './client-auth.ts'

type PrivateKeyJwtOptions = Parameters<typeof privateKeyJwt>[0]

/**
 * Authenticates the client by an assertion signed with its private key, which is valid for a minute and for one use.
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
     * set `token_endpoint` for a server that predates that rule. The grant then needs `issuer`.
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
  const algorithm = checkPrivateKeyJwtOptions(options)
  const assertion = { algorithm, keyId: options.keyId, audience: options.audience ?? 'issuer' }
  const { key, sign } = options
  return {
    method: 'private_key_jwt',
    audience: assertion.audience,
    prepare: async (signal) =>
      sign === undefined ? signedHere(key, assertion, signal) : signedExternally(sign, assertion),
  }
}

/** What the assertion says besides the client and the time. */
interface AssertionOptions {
  readonly algorithm: AsymmetricAlgorithm
  readonly keyId: string | undefined
  readonly audience: 'issuer' | 'token_endpoint'
}

function checkPrivateKeyJwtOptions(options: PrivateKeyJwtOptions): AsymmetricAlgorithm {
  checkOptions('privateKeyJwt', options, ['key', 'sign', 'algorithm', 'keyId', 'audience'])
  const { key, sign, algorithm = 'ES256' } = options
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
  return algorithm
}

/** Signs with a key of this process. */
async function signedHere(
  key: PrivateKey,
  { algorithm, keyId, audience }: AssertionOptions,
  signal: AbortSignal,
): Promise<client.ClientAuth> {
  const imported = await importPrivateKey('privateKeyJwt.key', key, algorithm, signal)
  const named = keyId === undefined ? imported : { key: imported, kid: keyId }
  return (as, registered, body, headers) =>
    client.PrivateKeyJwt(named, {
      [client.modifyAssertion]: (header, payload) => {
        // Servers compare with what was registered, and EdDSA has two names (RFC 9864).
        header['alg'] = algorithm
        if (audience === 'token_endpoint') payload['aud'] = as.token_endpoint ?? as.issuer
      },
    })(as, registered, body, headers)
}

// jose cannot call a signer outside the process, so the compact serialization is built here.
function signedExternally(
  sign: (data: Uint8Array) => Promise<Uint8Array>,
  { algorithm, keyId, audience }: AssertionOptions,
): client.ClientAuth {
  return async (as, { client_id }, body) => {
    const { base64url } = await import('jose')
    const now = Math.floor(Date.now() / 1000)
    const header = { alg: algorithm, ...(keyId === undefined ? {} : { kid: keyId }) }
    const claims = {
      iss: client_id,
      sub: client_id,
      aud: audience === 'token_endpoint' ? (as.token_endpoint ?? as.issuer) : as.issuer,
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
