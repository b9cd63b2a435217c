/**
 * Generates key pairs.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { type AsymmetricAlgorithm, isAsymmetricAlgorithm } from '../signing-key.ts'

/**
 * Generates a key pair.
 *
 * @param algorithm - The algorithm of its signatures. Default `ES256`.
 * @throws {@link ConfigurationError} when the algorithm has no key pairs. For a shared secret use
 * `openssl rand -base64 64`.
 *
 * @example
 * ```ts
 * import { generateSigningKey, jwt } from 'mcp-credentials'
 *
 * const { privateKey, jwks, keyId } = await generateSigningKey('ES256')
 * console.log(JSON.stringify(jwks)) // for the server
 *
 * const provider = jwt({ algorithm: 'ES256', key: privateKey, keyId, claims: { sub: 'agent' } })
 * ```
 * @group Signatures and signed tokens
 */
export async function generateSigningKey(algorithm: AsymmetricAlgorithm = 'ES256'): Promise<{
  /** The private key as PKCS #8 PEM. Keep it secret. */
  readonly privateKey: string
  /** The public key as SPKI PEM. */
  readonly publicKey: string
  /** The public key as a JWK set, to publish for servers. */
  readonly jwks: {
    /** The one key. */
    readonly keys: readonly JsonWebKey[]
  }
  /** The key's identifier in the set: its thumbprint (RFC 7638). */
  readonly keyId: string
}> {
  if (!isAsymmetricAlgorithm(algorithm)) {
    throw new ConfigurationError(
      'algorithm',
      'generateSigningKey: pass the JOSE name of a signature algorithm, such as ES256.',
    )
  }
  const jose = await import('jose')
  const pair = await jose.generateKeyPair(algorithm, { extractable: true })
  const jwk = await jose.exportJWK(pair.publicKey)
  const keyId = await jose.calculateJwkThumbprint(jwk)
  return {
    privateKey: await jose.exportPKCS8(pair.privateKey),
    publicKey: await jose.exportSPKI(pair.publicKey),
    jwks: { keys: [{ ...jwk, alg: algorithm, use: 'sig', kid: keyId } as JsonWebKey] },
    keyId,
  }
}
