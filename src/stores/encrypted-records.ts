/**
 * A credential store that encrypts records before they are written.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { isCredentialError, StoreError } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import type { Envelope } from './envelope.ts'
import { checkKey, isRecordKey, maxRecordBytes, parseRecord, serializeRecord } from './record.ts'

/** A store of texts under keys, with a lock for each key; like {@link CredentialStore} for records. */
export interface TextRecords {
  /** Reads a text; `undefined` when there is none. One of more than `maxRecordBytes` is refused before it is read. */
  get(key: string): Promise<string | undefined>
  /**
   * Replaces a text atomically and durably. The caller's lock must last for the whole operation: it is
   * checked before the text is made, which may take long, and when it has ended nothing is written.
   */
  set(key: string, makeText: () => Promise<string>): Promise<void>
  /** Removes a text; `false` when there was none. The lock is checked as for `set`. */
  delete(key: string): Promise<boolean>
  /** Lists the keys. */
  list(): Promise<readonly string[]>
  /** Finds texts of this store that cannot be listed because they cannot be read, and returns an error for each. */
  readonly unreadable?: () => Promise<readonly StoreError[]>
  /** As {@link CredentialStore.lock}. */
  lock<T>(key: string, task: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** A store of encrypted records. */
export interface EncryptedStore extends CredentialStore {
  /**
   * Re-encrypts with the first of the `keys` all records of the others. It may run while other processes use
   * the store, be interrupted, and run again: records of the first key are not changed. First configure both
   * keys in every process, the old one first; then the new one first; then call this; then remove the old
   * one.
   *
   * @returns How many records it has encrypted again.
   * @throws `StoreError` when some records could not be read, decrypted or locked, after all others were
   * re-encrypted; or when the store cannot be used.
   */
  rekey(): Promise<number>
}

/**
 * Makes a store of encrypted records from a store of texts.
 *
 * @param texts - The store of texts; its errors are `StoreError`s.
 * @param envelope - Encrypts them for this store.
 */
export function encryptedRecords(texts: TextRecords, envelope: Envelope): EncryptedStore {
  return {
    async get(key) {
      const text = await texts.get(key)
      return text === undefined ? undefined : parseRecord(key, await envelope.open(key, text))
    },
    async set(key, record) {
      checkKey(key)
      const plain = serializeRecord(key, record)
      await texts.set(key, async () => {
        const text = await envelope.seal(key, plain)
        if (Buffer.byteLength(text) > maxRecordBytes) throw tooLarge(key)
        return text
      })
    },
    delete: (key) => texts.delete(key),
    list: () => keysOf(texts),
    lock: (key, task, signal) => texts.lock(key, task, signal),
    rekey: () => encryptAgain(texts, envelope),
  }
}

/** Returns the valid keys of records: other keys are not from this library. */
async function keysOf(texts: TextRecords): Promise<readonly string[]> {
  return (await texts.list()).filter(isRecordKey)
}

function tooLarge(key: string): StoreError {
  return new StoreError('set', `The record of ${recordLabel(key)} is larger than 2 MiB.`, {
    remedy: 'Nothing was written. Correct the provider that returned it.',
  })
}

async function encryptAgain(texts: TextRecords, envelope: Envelope): Promise<number> {
  let count = 0
  const failures: StoreError[] = []
  for (const key of await keysOf(texts)) {
    try {
      if (!(await isOutdated(key))) continue
      await texts.lock(key, async () => {
        const text = await texts.get(key)
        if (text === undefined || (await envelope.isCurrent(text))) return
        // As text, because a newer version may have written it.
        await texts.set(key, async () => envelope.seal(key, await envelope.open(key, text)))
        count += 1
      })
    } catch (error) {
      if (!concernsOneRecord(error)) throw error
      failures.push(error)
    }
  }
  // When they become readable again, only the old key can decrypt them.
  failures.push(...((await texts.unreadable?.()) ?? []))
  if (failures.length > 0) throw incomplete(failures)
  return count

  async function isOutdated(key: string): Promise<boolean> {
    const text = await texts.get(key)
    return text !== undefined && !(await envelope.isCurrent(text))
  }
}

function concernsOneRecord(error: unknown): error is StoreError {
  if (isCredentialError(error, 'lock_timeout')) return true
  return isCredentialError(error, 'store') && error.reason === 'unusable_record'
}

function incomplete(failures: readonly StoreError[]): StoreError {
  const [first] = failures
  const count = failures.length === 1 ? 'One record' : `${failures.length} records`
  return new StoreError(
    'set',
    `${count} could not be re-encrypted. The first error: ${first?.message ?? ''}`,
    {
      retryable: failures.every(({ retryable }) => retryable),
      remedy:
        'All other records are encrypted with the first key. Correct the cause, and call rekey() again.',
    },
  )
}
