/**
 * Private keys for signatures: their formats, and the checks before they are used. It is long because each
 * format has a parser and a message of its own.
 *
 * @module
 */
import type { Secret } from './credential.ts'
import { fromBase64, nodeBuiltin, toHex } from './encoding.ts'
import { ConfigurationError, CredentialError } from './errors.ts'
import { readSecret } from './secret.ts'

/**
 * A private key: PEM text (PKCS #8; on Node also PKCS #1 and SEC 1) or the JSON text of a JWK, as a
 * string or as a source that is read when needed; a JWK object; or a `CryptoKey`.
 *
 * @group Signatures and signed tokens
 */
export type PrivateKey = Secret | JsonWebKey | CryptoKey

/**
 * A signature algorithm, by its JOSE name (RFC 7518 section 3.1, RFC 8037, RFC 9864).
 *
 * @group Signatures and signed tokens
 */
export type AsymmetricAlgorithm =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'

interface Requirement {
  readonly name: 'RSASSA-PKCS1-v1_5' | 'RSA-PSS' | 'ECDSA' | 'Ed25519'
  readonly hash?: string
  readonly curve?: string
  readonly kty: 'RSA' | 'EC' | 'OKP'
}

// The few members of node:crypto that turn PEM into a JWK; asked for at run time only.
interface NodeCrypto {
  createPrivateKey(pem: string): { export(options: { format: 'jwk' }): JsonWebKey }
}

const rsa = (name: 'RSASSA-PKCS1-v1_5' | 'RSA-PSS', hash: string): Requirement => ({
  name,
  hash,
  kty: 'RSA',
})
const ec = (curve: string, hash: string): Requirement => ({ name: 'ECDSA', hash, curve, kty: 'EC' })
const edwards: Requirement = { name: 'Ed25519', curve: 'Ed25519', kty: 'OKP' }

const requirements: Readonly<Record<AsymmetricAlgorithm, Requirement>> = {
  RS256: rsa('RSASSA-PKCS1-v1_5', 'SHA-256'),
  RS384: rsa('RSASSA-PKCS1-v1_5', 'SHA-384'),
  RS512: rsa('RSASSA-PKCS1-v1_5', 'SHA-512'),
  PS256: rsa('RSA-PSS', 'SHA-256'),
  PS384: rsa('RSA-PSS', 'SHA-384'),
  PS512: rsa('RSA-PSS', 'SHA-512'),
  ES256: ec('P-256', 'SHA-256'),
  ES384: ec('P-384', 'SHA-384'),
  ES512: ec('P-521', 'SHA-512'),
  EdDSA: edwards,
  Ed25519: edwards,
}

const minimumRsaBits = 2048

// The DER of the object identifier 1.2.840.113549.1.1.10 (RFC 8017, appendix C).
const pssIdentifier = '06092a864886f70d01010a'
// OpenSSL has no command for this conversion, but writes the same numbers for both kinds of key.
const pssRemedy =
  "openssl rsa -in key.pem -traditional | sed 's/RSA-PSS/RSA/' | openssl pkcs8 -topk8 -nocrypt -out plain.pem"

/** Whether a value names an algorithm that a {@link PrivateKey} can sign with. */
export function isAsymmetricAlgorithm(value: unknown): value is AsymmetricAlgorithm {
  return typeof value === 'string' && Object.hasOwn(requirements, value)
}

/** The parameters of `crypto.subtle.sign` for an algorithm. */
export function signatureParameters(
  algorithm: AsymmetricAlgorithm,
): AlgorithmIdentifier | RsaPssParams | EcdsaParams {
  const { name, hash } = requirements[algorithm]
  if (name === 'ECDSA') return { name, hash: hash ?? '' }
  // The salt is as long as the hash (RFC 7518 section 3.5, RFC 9421 section 3.3.1).
  if (name === 'RSA-PSS') return { name, saltLength: Number(hash?.slice(4)) / 8 }
  return { name }
}

/** How the options choose the algorithm. */
export interface AlgorithmChoice {
  /** The application's choice; it takes precedence over the `alg` of a JWK. */
  readonly chosen: AsymmetricAlgorithm | undefined
  /** For a key that does not name its algorithm; `undefined`: the application has to choose. */
  readonly fallback: AsymmetricAlgorithm | undefined
}

/** A key that can sign, and the members of its JWK. */
export interface SigningKey {
  readonly key: CryptoKey
  readonly algorithm: AsymmetricAlgorithm
  /** The `kid` of a JWK (RFC 7517, section 4.5). */
  readonly keyId: string | undefined
}

/**
 * Checks what is known of a key before its source is read.
 *
 * @throws {@link ConfigurationError} when it is not a private key, does not fit the algorithm, or is an
 * RSA key of less than 2048 bits. The message never quotes the key.
 */
export function checkPrivateKey(
  option: string,
  key: PrivateKey | undefined,
  algorithm: AsymmetricAlgorithm | AlgorithmChoice,
): void {
  if (typeof key === 'function') return
  const { problem } = identify(key, choiceOf(algorithm))
  if (problem !== undefined) throw new ConfigurationError(option, `${option} ${problem}`)
}

/**
 * Reads and imports a key for signing.
 *
 * @throws {@link CredentialError} with the code `secret_unavailable` when its source does not return a key
 * that fits the algorithm.
 */
export async function importPrivateKey(
  option: string,
  key: PrivateKey,
  algorithm: AsymmetricAlgorithm,
  signal: AbortSignal | undefined,
): Promise<CryptoKey> {
  return (await importSigningKey(option, key, choiceOf(algorithm), signal)).key
}

/**
 * Reads and imports a key for signing, with the algorithm and the identifier that a JWK names.
 *
 * @throws As {@link importPrivateKey}.
 */
export async function importSigningKey(
  option: string,
  key: PrivateKey,
  choice: AlgorithmChoice,
  signal: AbortSignal | undefined,
): Promise<SigningKey> {
  const unchecked = { signal, problemOf: () => undefined }
  const read = typeof key === 'function' ? await readSecret(option, key, unchecked) : key
  const { algorithm, keyId, problem } = identify(read, choice)
  if (problem !== undefined || algorithm === undefined) throw unavailable(`${option} ${problem}`)
  return { key: await importMaterial(option, read, algorithm), algorithm, keyId }
}

async function importMaterial(
  option: string,
  read: string | JsonWebKey | CryptoKey,
  algorithm: AsymmetricAlgorithm,
): Promise<CryptoKey> {
  if (isCryptoKey(read)) return read
  const material = typeof read === 'string' ? parse(read) : read
  const { name, hash, curve } = requirements[algorithm]
  const parameters = {
    name,
    ...(hash === undefined ? {} : { hash }),
    ...(curve === undefined ? {} : { namedCurve: curve }),
  }
  try {
    if (material instanceof Uint8Array) {
      const imported = await crypto.subtle.importKey('pkcs8', material, parameters, false, ['sign'])
      const late = cryptoKeyProblem(imported, algorithm)
      if (late !== undefined) throw unavailable(`${option} ${late}`)
      return imported
    }
    // `use` and `key_ops` of a JWK are ignored: the caller has chosen to sign with it.
    const {
      key_ops: _operations,
      use: _use,
      alg: _algorithm,
      ext: _extractable,
      ...jwk
    } = material ?? {}
    return await crypto.subtle.importKey('jwk', jwk, parameters, false, ['sign'])
  } catch (error) {
    if (error instanceof CredentialError) throw error
    throw unavailable(`${option} cannot be imported as a key for ${algorithm}.`)
  }
}

function choiceOf(algorithm: AsymmetricAlgorithm | AlgorithmChoice): AlgorithmChoice {
  return typeof algorithm === 'object' ? algorithm : { chosen: algorithm, fallback: undefined }
}

/** Returns the algorithm and the identifier of a key, and what is wrong with it. */
function identify(
  key: string | JsonWebKey | CryptoKey | undefined,
  { chosen, fallback }: AlgorithmChoice,
): {
  readonly algorithm: AsymmetricAlgorithm | undefined
  readonly keyId: string | undefined
  readonly problem: string | undefined
} {
  const { kid, alg } = jwkMembers(key)
  const keyId = typeof kid === 'string' && kid !== '' ? kid : undefined
  const named = isAsymmetricAlgorithm(alg) ? alg : undefined
  const algorithm = chosen ?? named ?? fallback
  if (algorithm === undefined) {
    const problem = 'does not name its algorithm; set `algorithm`, such as RS256.'
    return { algorithm, keyId, problem: isMissing(key) ? missing : problem }
  }
  const problem = problemOf(key, algorithm)
  const isDefault = chosen === undefined && named === undefined
  const isMisfit = problem?.startsWith('does not fit') === true
  const advice =
    isDefault && isMisfit ? ' Set `algorithm` to the one of this key, such as RS256.' : ''
  return { algorithm, keyId, problem: problem === undefined ? undefined : `${problem}${advice}` }
}

/** The members of a JWK. */
function jwkMembers(key: string | JsonWebKey | CryptoKey | undefined): Record<string, unknown> {
  if (isCryptoKey(key) || isMissing(key)) return {}
  if (typeof key === 'object') return { ...key }
  const material = key?.trimStart().startsWith('{') === true ? parse(key) : undefined
  return material === undefined || material instanceof Uint8Array ? {} : { ...material }
}

function isMissing(key: unknown): boolean {
  return key === undefined || key === null || key === ''
}

const missing =
  'is missing; pass a PEM text, a JWK, a CryptoKey, or file(path) to read it when needed.'

function problemOf(
  key: string | JsonWebKey | CryptoKey | undefined,
  algorithm: AsymmetricAlgorithm,
): string | undefined {
  if (isCryptoKey(key)) return cryptoKeyProblem(key, algorithm)
  if (typeof key === 'object' && key !== null) return jwkProblem(key, algorithm)
  if (typeof key !== 'string' || key === '') {
    return missing
  }
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(key)?.[1]
  if (label === undefined && !key.trimStart().startsWith('{')) {
    return 'is neither PEM text nor a JWK; pass the private key itself, or file(path) to read it.'
  }
  if (label === 'ENCRYPTED PRIVATE KEY' || key.includes('Proc-Type: 4,ENCRYPTED')) {
    return 'is encrypted; decrypt it first: openssl pkcs8 -in key.pem -out plain.pem'
  }
  if (label !== undefined && !label.endsWith('PRIVATE KEY')) {
    return `is a ${label.toLowerCase()}; pass the private key that belongs to it.`
  }
  if (isRestrictedToPss(key)) {
    return `is restricted to RSASSA-PSS, which WebCrypto does not accept; convert it with OpenSSL 3 to a plain RSA key, whose signatures are the same: ${pssRemedy}`
  }
  if (label !== undefined && /\\[nr]/.test(key)) {
    return 'contains \\n instead of line breaks; if it comes from a variable, use text.replaceAll("\\\\n", "\\n").'
  }
  const material = parse(key)
  if (material === undefined) {
    return label === undefined || label === 'PRIVATE KEY'
      ? 'cannot be read as a private key.'
      : 'is not PKCS #8; convert it: openssl pkcs8 -topk8 -nocrypt -in key.pem'
  }
  return material instanceof Uint8Array ? undefined : jwkProblem(material, algorithm)
}

function jwkProblem(jwk: JsonWebKey, algorithm: AsymmetricAlgorithm): string | undefined {
  const { kty, curve } = requirements[algorithm]
  // Such as a key object of Node, a JWK set, or the whole result of generateSigningKey().
  if (typeof jwk.kty !== 'string')
    return 'is not a private key; pass a PEM text, a JWK or a CryptoKey.'
  if (jwk.kty !== kty || (curve !== undefined && jwk.crv !== curve)) {
    return `does not fit ${algorithm}, which needs ${curve ?? 'an RSA key'}.`
  }
  if (typeof jwk.d !== 'string') return 'is a public key; pass the private key.'
  if (kty !== 'RSA') return undefined
  return sizeProblem(bitsOf(jwk.n ?? ''))
}

function cryptoKeyProblem(key: CryptoKey, algorithm: AsymmetricAlgorithm): string | undefined {
  const { name, hash, curve } = requirements[algorithm]
  if (key.type !== 'private') return `is a ${key.type} key; pass a private CryptoKey.`
  if (!key.usages.includes('sign')) return "must be imported with the usage 'sign'."
  const own = key.algorithm as Partial<RsaHashedKeyAlgorithm & EcKeyAlgorithm>
  const fits =
    own.name === name &&
    (own.hash === undefined || own.hash.name === hash) &&
    (own.namedCurve === undefined || own.namedCurve === curve)
  if (!fits) return `does not fit ${algorithm}.`
  return own.modulusLength === undefined ? undefined : sizeProblem(own.modulusLength)
}

function sizeProblem(bits: number): string | undefined {
  return bits >= minimumRsaBits
    ? undefined
    : `is an RSA key of ${bits} bits; use at least ${minimumRsaBits} (RFC 7518, section 3.3).`
}

/** The bits of a base64url number, whose leading zeros do not count. */
function bitsOf(base64url: string): number {
  const bytes = fromBase64(base64url)
  const first = bytes?.findIndex((byte) => byte !== 0) ?? -1
  if (bytes === undefined || first < 0) return 0
  return (bytes.length - first) * 8 - (Math.clz32(bytes[first] ?? 0) - 24)
}

/** Parses a key as a JWK where that is possible, otherwise as the bytes of PKCS #8; `undefined`: it is neither. */
function parse(text: string): JsonWebKey | Uint8Array<ArrayBuffer> | undefined {
  try {
    if (text.trimStart().startsWith('{')) {
      const value: unknown = JSON.parse(text)
      return typeof value === 'object' && value !== null ? value : undefined
    }
    const node = nodeBuiltin<NodeCrypto>('node:crypto')
    if (node !== undefined) return node.createPrivateKey(text).export({ format: 'jwk' })
  } catch {
    return undefined
  }
  return pkcs8Of(text)
}

function pkcs8Of(pem: string): Uint8Array<ArrayBuffer> | undefined {
  const body = /-----BEGIN PRIVATE KEY-----([^-]+)-----END PRIVATE KEY-----/.exec(pem)?.[1]
  return body === undefined ? undefined : fromBase64(body.replace(/\s/g, ''))
}

/**
 * Whether the key's own header restricts it to RSASSA-PSS (RFC 4055, section 1.2). The algorithm comes first
 * in PKCS #8, after a length and a version (RFC 5208, section 5).
 */
function isRestrictedToPss(pem: string): boolean {
  const start = pkcs8Of(pem)?.subarray(0, 24)
  return start !== undefined && toHex(start).includes(pssIdentifier)
}

function isCryptoKey(value: unknown): value is CryptoKey {
  return typeof CryptoKey !== 'undefined' && value instanceof CryptoKey
}

function unavailable(message: string): CredentialError {
  return new CredentialError('secret_unavailable', message, {
    retryable: true,
    remedy: 'Check the value that its source returns.',
  })
}
