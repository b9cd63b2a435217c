/**
 * Records as entries of a keychain, split when an entry cannot hold a complete record.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { CredentialRecord } from '../credential.ts'
import { StoreError } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import type { KeychainBackend } from './keychain-backend.ts'
import type { Permit } from './local-lock.ts'
import { checkKey, parseRecord, serializeRecord } from './record.ts'

/** Marks the accounts of the parts of a long record. No key contains it, for keys have no `·`. */
const partMark = ' · part '

/** The index entry of a split record. Writing it makes the new record current. */
interface Index {
  readonly parts: number
  readonly id: string
}

/** The records under one service of a keychain. */
export class KeychainRecords {
  readonly #keychain: KeychainBackend
  readonly #service: string
  readonly #maxLength: number

  /** @param maxLength - Characters that one entry can hold; `Infinity` for no limit. */
  constructor(keychain: KeychainBackend, service: string, maxLength: number) {
    this.#keychain = keychain
    this.#service = service
    this.#maxLength = maxLength
  }

  /** @throws `StoreError` when the keychain is locked, or the record is incomplete. */
  async get(key: string): Promise<CredentialRecord | undefined> {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const entry = await this.#read(key)
      if (entry === null) {
        // Another process may be replacing it.
        if (attempt < 2 && (await this.#isListed(key))) continue
        await this.#assertAbsent(key)
        return undefined
      }
      const index = indexOf(entry)
      const text = index === undefined ? entry : await this.#assemble(key, index)
      if (text !== undefined) return parseRecord(key, text)
    }
    throw new StoreError(
      'get',
      `The record of ${recordLabel(key)} is incomplete in the keychain.`,
      {
        reason: 'unusable_record',
        remedy: 'Nothing was deleted. Log in again to replace it.',
      },
    )
  }

  /** @throws `StoreError` when the key cannot be used, or the keychain cannot be written. */
  async set(key: string, record: CredentialRecord, permit: Permit): Promise<void> {
    checkKey(key)
    if (key.includes(partMark)) {
      throw new StoreError('set', `The key of a record must not contain "${partMark}".`)
    }
    const before = indexOf((await this.#read(key)) ?? '')
    const text = asciiOnly(serializeRecord(key, record))
    const entry = text.length <= this.#maxLength ? text : await this.#split(key, text)
    await permit(() => this.#write(key, entry))
    // The record is written; leftover parts are removed with the next lock.
    await this.#removeParts(key, before).catch(() => {})
  }

  /** @returns `false` when there was no record. */
  async delete(key: string, permit: Permit): Promise<boolean> {
    const before = indexOf((await this.#read(key)) ?? '')
    const existed = await permit(() => this.#keychain.deletePassword(this.#service, key))
    await this.#removeParts(key, before)
    return existed
  }

  async list(): Promise<string[]> {
    const entries = await this.#keychain.findCredentials(this.#service)
    return entries.map(({ account }) => account).filter((account) => !account.includes(partMark))
  }

  /** Removes the parts of a writer that died. The caller must hold the record's lock. */
  async removeOrphans(key: string): Promise<void> {
    if (this.#maxLength === Infinity) return
    const entries = await this.#keychain.findCredentials(this.#service)
    const current = indexOf(entries.find(({ account }) => account === key)?.password ?? '')
    const inUse = new Set(current === undefined ? [] : partsOf(key, current))
    for (const { account } of entries) {
      if (!account.startsWith(`${key}${partMark}`) || inUse.has(account)) continue
      await this.#keychain.deletePassword(this.#service, account)
    }
  }

  #read(account: string): Promise<string | null> {
    return this.#keychain.getPassword(this.#service, account)
  }

  #write(account: string, text: string): Promise<void> {
    return this.#keychain.setPassword(this.#service, account, text)
  }

  /** Writes the parts of a long record, and returns the text of its index. */
  async #split(key: string, text: string): Promise<string> {
    const limit = this.#maxLength
    const index: Index = { parts: Math.ceil(text.length / limit), id: randomUUID() }
    for (const [part, account] of partsOf(key, index).entries()) {
      await this.#write(account, text.slice(part * limit, (part + 1) * limit))
    }
    return JSON.stringify(index)
  }

  /** Reads the complete text; `undefined` when a part is missing because the record is being replaced. */
  async #assemble(key: string, index: Index): Promise<string | undefined> {
    let text = ''
    for (const account of partsOf(key, index)) {
      const part = await this.#read(account)
      if (part === null) return undefined
      text += part
    }
    return text
  }

  async #removeParts(key: string, index: Index | undefined): Promise<void> {
    if (index === undefined) return
    for (const account of partsOf(key, index)) {
      await this.#keychain.deletePassword(this.#service, account)
    }
  }

  /** The Secret Service also reports a missing entry when the collection is locked. */
  async #assertAbsent(key: string): Promise<void> {
    if (!(await this.#isListed(key))) return
    throw new StoreError('get', 'The keychain is locked, or the user refused to unlock it.', {
      retryable: true,
      remedy: 'Unlock it and try again.',
    })
  }

  async #isListed(key: string): Promise<boolean> {
    const entries = await this.#keychain.findCredentials(this.#service)
    return entries.some(({ account }) => account === key)
  }
}

function partsOf(key: string, { parts, id }: Index): string[] {
  return Array.from({ length: parts }, (_value, part) => `${key}${partMark}${id} ${part + 1}`)
}

function indexOf(entry: string): Index | undefined {
  if (!entry.startsWith('{"parts":')) return undefined
  try {
    const { parts, id } = JSON.parse(entry) as Partial<Index>
    const isIndex = Number.isSafeInteger(parts) && typeof id === 'string' && Number(parts) < 10_000
    return isIndex ? { parts: Number(parts), id } : undefined
  } catch {
    return undefined
  }
}

/** JSON in ASCII only, so that a limit in bytes is a limit in characters. */
function asciiOnly(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
