/**
 * Encrypts records with AES-256-GCM and a fresh nonce for each. The location of the store and the key of the
 * record are authenticated data.
 *
 * @module
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { Secret } from '../credential.ts'
import { fromBase64, fromHex } from '../encoding.ts'
import { ConfigurationError, StoreError } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import { checkSecret, presentValue, readSecret } from '../secret.ts'
import { setUpError } from './set-up-error.ts'

/** How the records of a store are encrypted: with one key, or with several while keys rotate. */
export type EncryptionOptions =
  | {
      /**
       * 32 random bytes in base64 or hex, as {@link generateKey} or `openssl rand -base64 32` prints them: from
       * an environment variable, a file, or an entry of the keychain. A text, and an `env()` whose variable is
       * already set, are checked immediately; every other source is read at the first use, and whenever a key
       * is needed.
       */
      readonly key: Secret
      /** Not together with `key`. */
      readonly keys?: never
    }
  | {
      /**
       * Several such keys: the first encrypts, all of them decrypt. To rotate a key while several processes
       * run, configure all of them with `[old, new]`, then with `[new, old]`, and call `rekey()`.
       */
      readonly keys: readonly Secret[]
      /** Not together with `keys`. */
      readonly key?: never
    }

/** Encrypts and decrypts the texts of one store. */
export interface Envelope {
  /** Encrypts a text with the first key; never twice with the same nonce. */
  seal(key: string, text: string): Promise<string>
  /**
   * Decrypts a text with the key that encrypted it.
   *
   * @throws {@link StoreError} with the reason `unusable_record` when none of the keys did, a byte was
   * changed, or the text was written for another key or location.
   */
  open(key: string, sealed: string): Promise<string>
  /** Whether a text was encrypted with the first key. */
  isCurrent(sealed: string): Promise<boolean>
}

/** The stored form: everything but the ciphertext is readable, and authenticated. */
interface Sealed {
  readonly v: 1
  readonly alg: 'A256GCM'
  /** Identifies the key that decrypts it, without revealing anything else about that key. */
  readonly kid: string
  readonly nonce: string
  readonly tag: string
  readonly text: string
}

interface EncryptionKey {
  readonly id: string
  readonly bytes: Buffer
}

/**
 * Makes a key for the `key` of a store: 32 random bytes as base64url (RFC 4648, section 5). Keep it where
 * only the application can read it: the key decrypts the records, and without it they are lost.
 *
 * @example
 * ```ts
 * import { generateKey } from 'mcp-credentials/file'
 *
 * console.log(generateKey())
 * ```
 */
export function generateKey(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * Checks the encryption options. Keys of `env()` are checked if their variables are already set; an
 * application may set them later. All other sources, such as `file()`, are read at the first use.
 *
 * @throws {@link ConfigurationError} when neither or both of `key` and `keys` are given, or a key does not
 * have 32 bytes.
 */
export function checkEncryption(store: string, { key, keys }: EncryptionOptions): void {
  const isList = Array.isArray(keys) && keys.length > 0
  if ((key === undefined) === (keys === undefined) || (keys !== undefined && !isList)) {
    const option = keys === undefined ? 'key' : 'keys'
    throw new ConfigurationError(
      `${store}.${option}`,
      `${store}: give either \`key\`, 32 random bytes (openssl rand -base64 32), or a list of them as \`keys\`.`,
    )
  }
  for (const [option, secret] of secretsOf(store, { key, keys } as EncryptionOptions)) {
    checkSecret(option, secret)
    const present = presentValue(secret)
    if (present !== undefined && keyBytes(present) === undefined) {
      throw new ConfigurationError(option, `${option} ${wrongLength}.`)
    }
  }
}

/**
 * Makes the envelope of a store. The keys are read whenever they are needed.
 *
 * @param store - The function that made the store, for messages.
 * @param place - The location of the records, such as the store's kind and its prefix or table. A text cannot
 * be decrypted at another location.
 */
export function makeEnvelope(store: string, place: string, options: EncryptionOptions): Envelope {
  const secrets = secretsOf(store, options)

  async function currentKey(): Promise<EncryptionKey> {
    const [first] = secrets
    if (first === undefined) throw new StoreError('open', `${store} has no key.`)
    return readKey(...first)
  }

  async function keyOf(id: string): Promise<EncryptionKey | undefined> {
    for (const [option, secret] of secrets) {
      const key = await readKey(option, secret)
      if (key.id === id) return key
    }
    return undefined
  }

  return {
    async seal(key, text) {
      const { id: kid, bytes } = await currentKey()
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', bytes, nonce)
      cipher.setAAD(associated(place, key, kid))
      const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      const sealed: Sealed = {
        v: 1,
        alg: 'A256GCM',
        kid,
        nonce: nonce.toString('base64'),
        tag: cipher.getAuthTag().toString('base64'),
        text: encrypted.toString('base64'),
      }
      return JSON.stringify(sealed)
    },
    async open(key, text) {
      const sealed = parseSealed(text)
      const used = sealed && (await keyOf(sealed.kid))
      const opened = sealed && used && decrypt(sealed, used, associated(place, key, sealed.kid))
      if (opened === undefined) throw undecipherable(key)
      return opened
    },
    async isCurrent(text) {
      return parseSealed(text)?.kid === (await currentKey()).id
    },
  }
}

/** The keys with the names of their options. */
function secretsOf(
  store: string,
  { key, keys }: EncryptionOptions,
): readonly (readonly [option: string, secret: Secret])[] {
  if (key !== undefined) return [[`${store}.key`, key]]
  return (keys ?? []).map((each, index) => [`${store}.keys[${index}]`, each])
}

function decrypt(
  { nonce, tag, text }: Sealed,
  { bytes }: EncryptionKey,
  data: Buffer,
): string | undefined {
  try {
    const iv = Buffer.from(nonce, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', bytes, iv, { authTagLength: 16 })
    decipher.setAAD(data)
    decipher.setAuthTag(Buffer.from(tag, 'base64'))
    const parts = [decipher.update(Buffer.from(text, 'base64')), decipher.final()]
    return Buffer.concat(parts).toString('utf8')
  } catch {
    return undefined
  }
}

// A record that is copied to another key cannot be decrypted.
function associated(place: string, key: string, kid: string): Buffer {
  return Buffer.from(JSON.stringify(['mcp-credentials', 1, place, key, kid]))
}

const wrongLength = 'must be 32 bytes in base64 or hex; generate one with: openssl rand -base64 32'

async function readKey(option: string, secret: Secret): Promise<EncryptionKey> {
  const master = keyBytes(await readSecret(option, secret, { signal: undefined }))
  if (master === undefined) throw new StoreError('open', `${option} ${wrongLength}.`, setUpError)
  // Two keys from one (RFC 5869), so that the readable identifier reveals nothing about the encryption key.
  const derive = (use: string, length: number) =>
    Buffer.from(hkdfSync('sha256', master, '', `mcp-credentials ${use}`, length))
  return { id: derive('key id', 9).toString('base64url'), bytes: derive('records', 32) }
}

/** Whether a text is a key for records: 32 bytes in base64 or hex. */
export function isEncryptionKey(text: string): boolean {
  return keyBytes(text) !== undefined
}

function keyBytes(text: string): Uint8Array | undefined {
  const trimmed = text.trim()
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed) ? fromHex(trimmed) : fromBase64(trimmed)
  return bytes?.length === 32 ? bytes : undefined
}

function parseSealed(text: string): Sealed | undefined {
  try {
    const sealed = JSON.parse(text) as Partial<Sealed>
    const { v, alg, kid, nonce, tag, text: body } = sealed
    const areTexts = [kid, nonce, tag, body].every((part) => typeof part === 'string')
    return v === 1 && alg === 'A256GCM' && areTexts ? (sealed as Sealed) : undefined
  } catch {
    return undefined
  }
}

function undecipherable(key: string): StoreError {
  return new StoreError('get', `The record of ${recordLabel(key)} cannot be decrypted.`, {
    reason: 'unusable_record',
    remedy:
      'Add the key that encrypted it to `keys`, or log in again to replace it; nothing was deleted. If no key was changed, the record is damaged.',
  })
}
