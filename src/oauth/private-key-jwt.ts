/**
 * Client authentication by a signed assertion (`private_key_jwt`).
 *
 * @module
 */
import * as client from 'openid-client'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import {
  type AlgorithmChoice,
  type AsymmetricAlgorithm,
  checkPrivateKey,
  importSigningKey,
  isAsymmetricAlgorithm,
  type PrivateKey,
} from '../signing-key.ts'
import {
  type AssertionAudience,
  type ClientAssertion,
  checkAudience,
  setAudience,
  setTimes,
} from './client-assertion.ts'
import { type ExternalSigner, signExternally } from './external-signer.ts'

type PrivateKeyJwtOptions = Parameters<typeof privateKeyJwt>[0]

/**
 * Authenticates the client with an assertion signed by its private key, valid for a minute and for one use.
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
 * @group Client authentication
 */
export function privateKeyJwt(
  options: {
    /** The signature algorithm, as registered with the server. Default: the `alg` of a JWK, else `ES256`. */
    readonly algorithm?: AsymmetricAlgorithm
    /** The `kid` header, by which the server finds the public key. Default: the `kid` of a JWK. */
    readonly keyId?: string
    /**
     * The `aud` claim. Default: the issuer, which is the only audience that cannot be replayed elsewhere;
     * set `token_endpoint` for an older server.
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
         * raw signature; for ES256, ES384 and ES512 that is r and s one after the other, not DER.
         */
        readonly sign: (data: Uint8Array) => Promise<Uint8Array>
        /** Not together with `sign`. */
        readonly key?: never
      }
  ),
): ClientAssertion {
  const algorithm = checkPrivateKeyJwtOptions(options)
  const { key, sign, keyId, audience = 'issuer' } = options
  return {
    method: 'private_key_jwt',
    audience,
    prepare: async ({ signal, now }) => {
      const assertion = { keyId, audience, now }
      return sign === undefined
        ? signedHere(key, { ...assertion, algorithm }, signal)
        : signedElsewhere(sign, { ...assertion, algorithm: algorithm.chosen ?? 'ES256' })
    },
  }
}

/** The options of the assertion. */
interface AssertionOptions {
  readonly keyId: string | undefined
  readonly audience: AssertionAudience
  /** The server's time, in milliseconds since the epoch. */
  readonly now: () => number
}

function checkPrivateKeyJwtOptions(options: PrivateKeyJwtOptions): AlgorithmChoice {
  checkOptions('privateKeyJwt', options, ['key', 'sign', 'algorithm', 'keyId', 'audience'])
  const { key, sign, algorithm, audience = 'issuer' } = options
  if ((key === undefined) === (sign === undefined)) {
    throw new ConfigurationError(
      'privateKeyJwt.key',
      'privateKeyJwt: pass either `key` or `sign`, the function of a key that cannot be read.',
    )
  }
  if (algorithm !== undefined && !isAsymmetricAlgorithm(algorithm)) {
    throw new ConfigurationError(
      'privateKeyJwt.algorithm',
      'privateKeyJwt.algorithm must be the JOSE name of a signature algorithm, such as ES256.',
    )
  }
  checkAudience('privateKeyJwt', audience)
  const choice = { chosen: algorithm, fallback: 'ES256' } as const
  if (key !== undefined) checkPrivateKey('privateKeyJwt.key', key, choice)
  return choice
}

/** Signs with a key of this process. */
async function signedHere(
  source: PrivateKey,
  options: AssertionOptions & { readonly algorithm: AlgorithmChoice },
  signal: AbortSignal,
): Promise<client.ClientAuth> {
  const imported = await importSigningKey('privateKeyJwt.key', source, options.algorithm, signal)
  const { key, algorithm } = imported
  const kid = options.keyId ?? imported.keyId
  const named = kid === undefined ? key : { key, kid }
  return (as, registered, body, headers) =>
    client.PrivateKeyJwt(named, {
      [client.modifyAssertion]: (header, payload) => {
        // Servers compare with the registered algorithm, and EdDSA has two names (RFC 9864).
        header['alg'] = algorithm
        setAudience(payload, options.audience, as)
        setTimes(payload, options.now())
      },
    })(as, registered, body, headers)
}

// jose cannot call a signer outside the process, so the compact serialization is built here.
function signedElsewhere(
  sign: ExternalSigner,
  options: AssertionOptions & { readonly algorithm: AsymmetricAlgorithm },
): client.ClientAuth {
  return async (as, { client_id }, body) => {
    const { base64url } = await import('jose')
    const { algorithm, keyId, audience, now } = options
    const header = { alg: algorithm, ...(keyId === undefined ? {} : { kid: keyId }) }
    const claims = { iss: client_id, sub: client_id, jti: crypto.randomUUID() }
    setAudience(claims, audience, as)
    setTimes(claims, now())
    const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}`
    const data = new TextEncoder().encode(input)
    const signature = await signExternally('privateKeyJwt.sign', sign, data, algorithm)
    body.set('client_id', client_id)
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', `${input}.${base64url.encode(signature)}`)
  }
}
