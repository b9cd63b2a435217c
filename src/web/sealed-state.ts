/**
 * The encrypted state of a login; its holder can neither read nor change it.
 *
 * @module
 */
import type { JWTDecryptResult } from 'jose'
import type { Secret } from '../credential.ts'
import { type Bytes, fromBase64, fromHex, toBase64Url } from '../encoding.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkSecret, presentValue, readSecret } from '../secret.ts'

/** Encrypts the state at the start of a login, and decrypts it at the end. */
export interface StateSealer {
  /**
   * Encrypts a JSON value.
   *
   * @param expiresAt - When it expires, in milliseconds since the epoch.
   * @throws {@link CredentialError} with the code `invalid_response` when the value is too long.
   */
  seal(value: object, expiresAt: number): Promise<string>
  /**
   * Decrypts a value.
   *
   * @param now - The current time, in milliseconds since the epoch.
   * @throws {@link CredentialError} with the code `login_expired` when it has expired, or
   *   `login_state_invalid` when it is missing, was changed, or was encrypted with another key.
   */
  open(state: string | undefined, now: number): Promise<unknown>
}

interface SealingKey {
  /** Identifies the key without revealing it. */
  readonly id: string
  readonly bytes: Bytes
}

const wrongLength = 'must be 32 bytes in base64 or hex; generate one with: openssl rand -base64 32'
/** Distinguishes the state from other tokens that are encrypted with the same key. */
const tokenType = 'mcp-credentials-login'
/** The most characters of a state, which is untrusted input. */
const maxLength = 16_384

/**
 * Checks the keys that are already known.
 *
 * @throws {@link ConfigurationError} when there is none, or one does not have 32 bytes.
 */
export function checkSealingKeys(option: string, keys: readonly Secret[]): void {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new ConfigurationError(option, `${option} ${wrongLength}`)
  }
  for (const key of keys) {
    checkSecret(option, key)
    const present = presentValue(key)
    if (present === undefined || keyBytes(present) !== undefined) continue
    throw new ConfigurationError(option, `${option} ${wrongLength}`)
  }
}

/**
 * Creates a sealer: AES-256-GCM as an encrypted JWT (RFC 7516, RFC 7519).
 *
 * @param keys - The first one encrypts, all of them decrypt. They are read each time, so a replaced key
 *   takes effect.
 */
export function stateSealer(option: string, keys: readonly Secret[]): StateSealer {
  const read = (key: Secret) => readSealingKey(option, key)
  return {
    async seal(value, expiresAt) {
      const { EncryptJWT } = await import('jose')
      const [first = ''] = keys
      const { id, bytes } = await read(first)
      const state = await new EncryptJWT({ login: value })
        .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: tokenType, kid: id })
        .setExpirationTime(Math.ceil(expiresAt / 1000))
        .encrypt(bytes)
      if (state.length > maxLength) throw tooLong()
      return state
    },
    async open(state, now) {
      if (state === undefined || state === '') throw missing()
      if (typeof state !== 'string' || state.length > maxLength) throw invalid()
      const known = await Promise.all(keys.map(read))
      const { payload } = await decrypt(state, known, now)
      return payload['login']
    },
  }
}

async function decrypt(
  state: string,
  keys: readonly SealingKey[],
  now: number,
): Promise<JWTDecryptResult> {
  const { jwtDecrypt } = await import('jose')
  try {
    const keyOf = ({ kid }: { kid?: string }) => {
      const key = keys.find(({ id }) => id === kid)
      if (key === undefined) throw invalid()
      return key.bytes
    }
    return await jwtDecrypt(state, keyOf, {
      keyManagementAlgorithms: ['dir'],
      contentEncryptionAlgorithms: ['A256GCM'],
      typ: tokenType,
      requiredClaims: ['exp'],
      currentDate: new Date(now),
    })
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_JWT_EXPIRED') throw invalid()
    throw expiredLogin()
  }
}

/** The error for an expired login. */
export function expiredLogin(): CredentialError {
  return new CredentialError('login_expired', 'The time limit of this login has passed.', {
    remedy: 'Call beginLogin() again, and send the user to its URL.',
  })
}

/** Derives a separate key, so that ciphertexts of other uses of the same key cannot be decrypted here. */
async function readSealingKey(option: string, secret: Secret): Promise<SealingKey> {
  const given = keyBytes(await readSecret(option, secret, { signal: undefined }))
  if (given === undefined) throw new ConfigurationError(option, `${option} ${wrongLength}`)
  const { subtle } = globalThis.crypto
  const base = await subtle.importKey('raw', given, 'HKDF', false, ['deriveBits'])
  const info = new TextEncoder().encode(tokenType)
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
  const bytes = new Uint8Array(await subtle.deriveBits(parameters, base, 320))
  return { id: toBase64Url(bytes.slice(32)), bytes: bytes.slice(0, 32) }
}

function keyBytes(text: string): Bytes | undefined {
  const trimmed = text.trim()
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed) ? fromHex(trimmed) : fromBase64(trimmed)
  return bytes?.length === 32 ? bytes : undefined
}

function tooLong(): CredentialError {
  const message = `The state of this login is too long: more than ${maxLength} characters.`
  const remedy =
    'Request fewer scopes with the option `scope`; otherwise the client ID from the server is too long.'
  return new CredentialError('invalid_response', message, { remedy })
}

function missing(): CredentialError {
  return new CredentialError('login_state_invalid', 'The state of this login is missing.', {
    remedy:
      'Call beginLogin() again; the cookie may have expired, or the callback was opened in another browser.',
  })
}

function invalid(): CredentialError {
  return new CredentialError(
    'login_state_invalid',
    'The state of this login cannot be decrypted: it was changed, or encrypted with a key that is no longer configured.',
    {
      remedy:
        'Call beginLogin() again. After a change of keys, pass `keys: [new, old]` until pending logins have expired.',
    },
  )
}
