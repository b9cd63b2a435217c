/**
 * The state of a login between its two halves, as text that its holder can neither read nor change.
 *
 * @module
 */
import type { JWTDecryptResult } from 'jose'
import type { Secret } from '../credential.ts'
import { type Bytes, fromBase64, fromHex, toBase64Url } from '../encoding.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkSecret, presentValue, readSecret } from '../secret.ts'

/** Seals what is known at the beginning of a login, and opens it at the end. */
export interface StateSealer {
  /**
   * Encrypts a value that JSON can hold.
   *
   * @param expiresAt - When it stops opening, in milliseconds since the epoch.
   * @throws {@link CredentialError} with the code `invalid_response` when the value is too long to open again.
   */
  seal(value: object, expiresAt: number): Promise<string>
  /**
   * Decrypts a value.
   *
   * @param now - The current time, in milliseconds since the epoch.
   * @throws {@link CredentialError} with the code `login_expired` when its time is over, or
   * `login_state_invalid` when it is missing, was changed, or was sealed with none of the keys.
   */
  open(state: string | undefined, now: number): Promise<unknown>
}

interface SealingKey {
  /** Names the key without saying anything of it. */
  readonly id: string
  readonly bytes: Bytes
}

const wrongLength = 'must be 32 bytes in base64 or hex; generate one with: openssl rand -base64 32'
/** Tells a state from every other token that is encrypted with the same key. */
const tokenType = 'mcp-credentials-login'
/** More than a state ever has; whoever sends one could make this process read megabytes. */
const maxLength = 16_384

/**
 * Checks the keys, as far as they are known yet.
 *
 * @throws {@link ConfigurationError} when there is none, or one is not 32 bytes long.
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
 * Makes a sealer: AES-256-GCM as an encrypted JWT (RFC 7516, RFC 7519).
 *
 * @param keys - The first one seals, all of them open. They are read each time, so a key that is replaced
 * is noticed.
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

/** The error of a login whose time is over. */
export function expiredLogin(): CredentialError {
  return new CredentialError('login_expired', 'The time to complete this login is over.', {
    remedy: 'Call beginLogin() again, and send the user there.',
  })
}

/** Derived, so that the key can serve other purposes too: no ciphertext of the one opens in the other. */
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
  const message = `What has to be kept of this login is too long: more than ${maxLength} characters.`
  const remedy =
    'Ask for fewer scopes with the option `scope`; if it is not them, the client identifier of the server is too long.'
  return new CredentialError('invalid_response', message, { remedy })
}

function missing(): CredentialError {
  return new CredentialError('login_state_invalid', 'The state of this login is missing.', {
    remedy:
      'Call beginLogin() again; the cookie that held it may have expired, or the callback was opened in another browser.',
  })
}

function invalid(): CredentialError {
  return new CredentialError(
    'login_state_invalid',
    'The state of this login cannot be opened: it was changed, or sealed with a key that is not among the present ones.',
    {
      remedy:
        'Call beginLogin() again. If it happens after a change of keys, pass `keys: [new, old]` for as long as logins last.',
    },
  )
}
