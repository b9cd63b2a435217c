/**
 * Records as ciphertext: AES-256-GCM, with a fresh nonce for each and the record's key bound to it.
 *
 * @module
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  type ScryptOptions,
  scrypt,
} from 'node:crypto'
import type { CredentialRecord, Secret } from '../credential.ts'
import { fromBase64, fromHex } from '../encoding.ts'
import { ConfigurationError, recordLabel, StoreError } from '../errors.ts'
import { checkSecret, readSecret } from '../secret.ts'
import { parseRecord } from './record.ts'

/** How the records of a store are encrypted: with a key, or with a passphrase. */
export type EncryptionOptions =
  | {
      /**
       * 32 random bytes in base64 or hex, such as `openssl rand -base64 32` prints: from an environment
       * variable, a file, or an entry of the keychain.
       */
      readonly key: Secret
      /** Not together with `key`. */
      readonly passphrase?: never
    }
  | {
      /** A passphrase from which the key is derived with scrypt (RFC 7914). */
      readonly passphrase: Secret
      /** Not together with `passphrase`. */
      readonly key?: never
    }

/** Seals and opens records. */
export interface Envelope {
  /** Encrypts a record; never twice with the same nonce. */
  seal(key: string, record: CredentialRecord): Promise<string>
  /**
   * Decrypts a record.
   *
   * @throws {@link StoreError} when the key is wrong or a byte was changed.
   */
  open(key: string, text: string): Promise<CredentialRecord>
}

interface Derivation {
  readonly N: number
  readonly r: number
  readonly p: number
  readonly salt: string
}

/** What is written: everything but the ciphertext is readable, and authenticated. */
interface Sealed {
  readonly v: 1
  readonly alg: 'A256GCM'
  readonly kdf?: Derivation
  readonly nonce: string
  readonly tag: string
  readonly text: string
}

// What OWASP recommends for scrypt; about a third of a second, once for each process.
const cost = { N: 2 ** 17, r: 8, p: 1 }

/**
 * Checks how records are to be encrypted.
 *
 * @throws {@link ConfigurationError} when neither or both are given, or a key has not 32 bytes.
 */
export function checkEncryption(store: string, { key, passphrase }: EncryptionOptions): void {
  if ((key === undefined) === (passphrase === undefined)) {
    throw new ConfigurationError(
      `${store}.key`,
      `${store}: give either \`key\`, 32 random bytes (openssl rand -base64 32), or \`passphrase\`.`,
    )
  }
  if (key !== undefined) {
    checkSecret(`${store}.key`, key)
    if (typeof key === 'string' && keyBytes(key) === undefined) {
      throw new ConfigurationError(`${store}.key`, `${store}.key ${wrongLength}`)
    }
  }
  if (passphrase === undefined) return
  checkSecret(`${store}.passphrase`, passphrase)
  if (typeof passphrase === 'string' && passphrase.length < 12) {
    throw new ConfigurationError(
      `${store}.passphrase`,
      `${store}.passphrase is shorter than 12 characters; take several words.`,
    )
  }
}

/** Makes the envelope of a store; the key is read, or derived, when it is first needed. */
export function makeEnvelope(store: string, options: EncryptionOptions): Envelope {
  const derived = new Map<string, Promise<Buffer>>()
  const ownSalt = randomBytes(16).toString('base64')

  async function keyFor(kdf: Derivation | undefined): Promise<Buffer> {
    const { key, passphrase } = options
    if (key !== undefined) return readKey(store, key)
    if (passphrase === undefined || kdf === undefined) throw undecipherable(store)
    const phrase = await readSecret(`${store}.passphrase`, passphrase, { signal: undefined })
    // Kept by what it was made of, so that a changed passphrase is noticed.
    const name = createHash('sha256')
      .update(JSON.stringify([phrase, kdf]))
      .digest('base64')
    const known = derived.get(name)
    if (known !== undefined) return known
    const made = derive(phrase, kdf)
    derived.set(name, made)
    return made
  }

  return {
    async seal(key, record) {
      const kdf = options.passphrase === undefined ? undefined : { ...cost, salt: ownSalt }
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', await keyFor(kdf), nonce)
      cipher.setAAD(associated(key, kdf))
      const text = Buffer.concat([cipher.update(JSON.stringify(record), 'utf8'), cipher.final()])
      const sealed: Sealed = {
        v: 1,
        alg: 'A256GCM',
        ...(kdf === undefined ? {} : { kdf }),
        nonce: nonce.toString('base64'),
        tag: cipher.getAuthTag().toString('base64'),
        text: text.toString('base64'),
      }
      return JSON.stringify(sealed)
    },
    async open(key, text) {
      const sealed = parseSealed(text)
      if (sealed === undefined) throw undecipherable(key)
      const secret = await keyFor(sealed.kdf)
      return parseRecord(key, decrypt(key, sealed, secret))
    },
  }
}

function decrypt(key: string, sealed: Sealed, secret: Buffer): string {
  try {
    const nonce = Buffer.from(sealed.nonce, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: 16 })
    decipher.setAAD(associated(key, sealed.kdf))
    decipher.setAuthTag(Buffer.from(sealed.tag, 'base64'))
    const parts = [decipher.update(Buffer.from(sealed.text, 'base64')), decipher.final()]
    return Buffer.concat(parts).toString('utf8')
  } catch {
    throw undecipherable(key)
  }
}

// A record that is copied to the place of another, or whose derivation is weakened, does not open.
function associated(key: string, kdf: Derivation | undefined): Buffer {
  return Buffer.from(JSON.stringify(['mcp-credentials', 1, key, kdf ?? null]))
}

const wrongLength = 'must be 32 bytes in base64 or hex; make one with: openssl rand -base64 32'

async function readKey(store: string, key: Secret): Promise<Buffer> {
  const bytes = keyBytes(await readSecret(`${store}.key`, key, { signal: undefined }))
  if (bytes !== undefined) return Buffer.from(bytes)
  throw new StoreError('open', `${store}.key ${wrongLength}.`)
}

function keyBytes(text: string): Uint8Array | undefined {
  const trimmed = text.trim()
  const bytes = /^[0-9a-f]{64}$/i.test(trimmed) ? fromHex(trimmed) : fromBase64(trimmed)
  return bytes?.length === 32 ? bytes : undefined
}

function derive(phrase: string, { N, r, p, salt }: Derivation): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r }
  return new Promise((resolve, reject) => {
    scrypt(phrase.normalize('NFKC'), Buffer.from(salt, 'base64'), 32, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(new StoreError('open', 'The key could not be derived from the passphrase.'))
    })
  })
}

function parseSealed(text: string): Sealed | undefined {
  try {
    const { v, alg, kdf, nonce, tag, text: body } = JSON.parse(text) as Partial<Sealed>
    const isText = [nonce, tag, body].every((part) => typeof part === 'string')
    if (v !== 1 || alg !== 'A256GCM' || !isText || !isDerivation(kdf)) return undefined
    return { v, alg, nonce, tag, text: body, ...(kdf === undefined ? {} : { kdf }) } as Sealed
  } catch {
    return undefined
  }
}

// Whoever can write the file could ask for a derivation that takes for ever.
function isDerivation(kdf: Derivation | undefined): boolean {
  if (kdf === undefined) return true
  const { N, r, p, salt } = kdf
  const within = (value: unknown, most: number) =>
    Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most
  // Nothing but a power of two is a cost (RFC 7914, section 6).
  const isPower = N > 1 && (N & (N - 1)) === 0
  return isPower && within(N, 2 ** 20) && within(r, 32) && within(p, 16) && typeof salt === 'string'
}

function undecipherable(key: string): StoreError {
  return new StoreError('get', `The record of ${recordLabel(key)} cannot be decrypted.`, {
    remedy:
      'Use the key or passphrase that wrote it; nothing was deleted. If it is the same, the record was changed.',
  })
}
