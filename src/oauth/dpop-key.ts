/**
 * DPoP keys: in this process, or external keys with a signing function.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { signatureParameters } from '../signing-key.ts'
import { type ExternalSigner, signExternally } from './external-signer.ts'

/** The JOSE name of the algorithm that proofs are signed with. */
export type DpopAlgorithm = 'ES256' | 'Ed25519' | 'RS256' | 'PS256'

/** A key, ready to sign proofs. */
export interface DpopKey {
  readonly algorithm: DpopAlgorithm
  /** The public key in a proof (RFC 9449, section 4.2). */
  readonly publicJwk: JsonWebKey
  /** The part for the store: the private key, or only the public part of an external key. */
  readonly stored: JsonWebKey
  sign(data: Uint8Array): Promise<Uint8Array>
}

/** A key that cannot be read, as the option `dpop` describes it. */
export interface ExternalKey {
  readonly sign: ExternalSigner
  readonly publicJwk: JsonWebKey
}

/** The option `dpop`, as its object. */
export interface DpopOptions {
  readonly algorithm?: DpopAlgorithm
  readonly required?: boolean
  readonly sign?: ExternalKey['sign']
  readonly publicJwk?: JsonWebKey
}

/** The option `dpop`, checked. */
export interface ResolvedDpop {
  /** The application's choice; `undefined`: any that the servers accept. */
  readonly algorithm: DpopAlgorithm | undefined
  readonly required: boolean
  readonly external: ExternalKey | undefined
}

/** In the order of preference. */
export const dpopAlgorithms: readonly DpopAlgorithm[] = ['ES256', 'Ed25519', 'PS256', 'RS256']

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

/**
 * Fills in the defaults; `undefined`: no proofs.
 *
 * @throws `ConfigurationError` when an option is invalid.
 */
export function resolveDpop(
  provider: string,
  option: boolean | DpopOptions | undefined,
): ResolvedDpop | undefined {
  if (option === undefined || option === false) return undefined
  if (option === true) return { algorithm: undefined, required: true, external: undefined }
  const where = `${provider}.dpop`
  checkOptions(where, option, ['algorithm', 'required', 'sign', 'publicJwk'])
  const { algorithm, required = true, sign, publicJwk } = option
  if (algorithm !== undefined && !dpopAlgorithms.includes(algorithm)) {
    throw new ConfigurationError(
      `${where}.algorithm`,
      `${where}.algorithm must be one of ${dpopAlgorithms.join(', ')}; proofs are never made with a shared secret.`,
    )
  }
  if (sign === undefined && publicJwk === undefined) {
    return { algorithm, required, external: undefined }
  }
  const external = externalOf(where, option)
  return { algorithm: externalAlgorithm(where, option), required, external }
}

function externalOf(where: string, { sign, publicJwk }: DpopOptions): ExternalKey {
  if (typeof sign !== 'function') {
    throw new ConfigurationError(
      `${where}.sign`,
      `${where}.sign must be the function that signs with the key of \`publicJwk\`.`,
    )
  }
  if (typeof publicJwk !== 'object' || publicJwk === null) {
    throw new ConfigurationError(
      `${where}.publicJwk`,
      `${where}.publicJwk is missing; pass the public key of \`sign\` as a JWK.`,
    )
  }
  if (privateMembers.some((member) => Object.hasOwn(publicJwk, member))) {
    throw new ConfigurationError(
      `${where}.publicJwk`,
      `${where}.publicJwk contains a private key, which would be sent to every server; pass only the public key.`,
    )
  }
  return { sign, publicJwk: publicPart(publicJwk) }
}

function externalAlgorithm(where: string, { algorithm, publicJwk }: DpopOptions): DpopAlgorithm {
  const { kty, crv, alg } = publicJwk ?? {}
  const fitting = dpopAlgorithms.filter((name) => {
    if (name === 'ES256') return kty === 'EC' && crv === 'P-256'
    if (name === 'Ed25519') return kty === 'OKP' && crv === 'Ed25519'
    return kty === 'RSA'
  })
  const chosen = algorithm ?? fitting.find((name) => name === alg) ?? fitting[0]
  // An RSA key can sign with two algorithms, and only the key service knows which.
  const isAmbiguous =
    algorithm === undefined && fitting.length > 1 && !fitting.some((n) => n === alg)
  if (chosen !== undefined && fitting.includes(chosen) && !isAmbiguous) return chosen
  const problem = isAmbiguous
    ? 'set it to the algorithm of `sign`, PS256 or RS256.'
    : fitting.length > 0
      ? `this key needs ${fitting.join(' or ')}.`
      : 'does not fit the key; a P-256, Ed25519 or RSA key is needed.'
  throw new ConfigurationError(`${where}.algorithm`, `${where}.algorithm: ${problem}`)
}

/** Makes a key in this process. It can be exported, because a refresh token bound to a lost key is lost too (RFC 9449 section 5). */
export async function generateKey(algorithm: DpopAlgorithm): Promise<DpopKey> {
  const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }
  const parameters = { ...keyParameters(algorithm), ...rsa }
  const pair = (await crypto.subtle.generateKey(parameters, true, [
    'sign',
    'verify',
  ])) as CryptoKeyPair
  const {
    key_ops: _operations,
    ext: _extractable,
    ...stored
  } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  return keyOf(pair.privateKey, algorithm, stored)
}

/** Imports a stored key. */
export async function importKey(stored: JsonWebKey): Promise<DpopKey> {
  const algorithm = algorithmOf(stored)
  const parameters = keyParameters(algorithm)
  const key = await crypto.subtle.importKey('jwk', stored, parameters, true, ['sign'])
  return keyOf(key, algorithm, stored)
}

/**
 * Makes a key with an external signing function.
 *
 * @param option - The option that describes it.
 */
export function externalKey(
  option: string,
  { sign, publicJwk }: ExternalKey,
  algorithm: DpopAlgorithm,
): DpopKey {
  return {
    algorithm,
    publicJwk,
    stored: publicJwk,
    sign: (data) => signExternally(`${option}.sign`, sign, data, algorithm),
  }
}

function keyOf(key: CryptoKey, algorithm: DpopAlgorithm, stored: JsonWebKey): DpopKey {
  const parameters = signatureParameters(algorithm)
  return {
    algorithm,
    publicJwk: publicPart(stored),
    stored,
    sign: async (data) =>
      new Uint8Array(await crypto.subtle.sign(parameters, key, new Uint8Array(data))),
  }
}

/** Whether a stored key can sign in this process. */
export function isPrivate({ d }: JsonWebKey): boolean {
  return typeof d === 'string'
}

/** Whether two keys are the same key, as RFC 7638 compares them. */
export function isSameKey(one: JsonWebKey, other: JsonWebKey): boolean {
  const a = publicPart(one)
  const b = publicPart(other)
  return publicNames.every((name) => a[name] === b[name])
}

/** The algorithm of a stored key. */
export function algorithmOf({ kty, alg }: JsonWebKey): DpopAlgorithm {
  if (kty === 'EC') return 'ES256'
  if (kty === 'OKP') return 'Ed25519'
  return alg === 'PS256' ? 'PS256' : 'RS256'
}

const publicNames = ['kty', 'crv', 'x', 'y', 'e', 'n'] as const

function publicPart(jwk: JsonWebKey): JsonWebKey {
  return Object.fromEntries(
    publicNames.flatMap((name) => (jwk[name] === undefined ? [] : [[name, jwk[name]]])),
  )
}

function keyParameters(algorithm: DpopAlgorithm): { name: string; [member: string]: string } {
  if (algorithm === 'ES256') return { name: 'ECDSA', namedCurve: 'P-256' }
  if (algorithm === 'Ed25519') return { name: 'Ed25519' }
  return { name: algorithm === 'PS256' ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
}
