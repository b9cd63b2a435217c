/**
 * Signatures by a function of the application, with a key in an HSM or a cloud's key service.
 *
 * @module
 */
import {
  ConfigurationError,
  CredentialError,
  describeThrown,
  isCredentialError,
} from '../errors.ts'
import type { AsymmetricAlgorithm } from '../signing-key.ts'

/** Signs bytes; resolves to the raw signature. */
export type ExternalSigner = (data: Uint8Array) => Promise<Uint8Array>

/**
 * The signature lengths in bytes, of the algorithms that define them (RFC 7518, section 3.4; RFC 8037, section
 * 3.1).
 */
const lengths: Readonly<Partial<Record<AsymmetricAlgorithm, number>>> = {
  ES256: 64,
  ES384: 96,
  ES512: 132,
  EdDSA: 64,
  Ed25519: 64,
}

/**
 * Calls the application's signing function, and checks the signature.
 *
 * @param option - The option that holds the function, such as `privateKeyJwt.sign`.
 * @throws `CredentialError` with the code `secret_unavailable` when the function throws, unless
 * that is a `CredentialError`; `ConfigurationError` when its signature cannot be one of the
 * algorithm.
 */
export async function signExternally(
  option: string,
  sign: ExternalSigner,
  data: Uint8Array,
  algorithm: AsymmetricAlgorithm,
): Promise<Uint8Array> {
  let made: unknown
  try {
    made = await sign(data)
  } catch (thrown) {
    if (isCredentialError(thrown)) throw thrown
    throw new CredentialError(
      'secret_unavailable',
      `${option} threw (${describeThrown(thrown)}); nothing was sent.`,
      { retryable: true, remedy: 'Throw a CredentialError there to give details.' },
    )
  }
  const signature = made instanceof ArrayBuffer ? new Uint8Array(made) : made
  if (!(signature instanceof Uint8Array)) {
    const problem = `${option} did not resolve to bytes; nothing was sent.`
    throw new ConfigurationError(option, problem, {
      remedy: 'Return the signature as a Uint8Array.',
    })
  }
  const expected = lengths[algorithm]
  if (expected === undefined || signature.length === expected) return signature
  const form = algorithm.startsWith('ES') ? ': r and s one after the other, not DER' : ''
  throw new ConfigurationError(
    option,
    `${option} resolved to ${signature.length} bytes, and a signature with ${algorithm} has ${expected}${form}; nothing was sent.`,
  )
}
