/**
 * Writes the record of a login so that nothing that was obtained is lost.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { writeSoon } from './durable-write.ts'
import { isSameMark, isWorthMore, markOf } from './stored-record.ts'
import { StoredSlot } from './stored-slot.ts'

/** How often a credential that came late is tried to be written. */
const lateTries = 3

/** Writes one record, and keeps in memory what could not be written yet. */
export class RecordWriter {
  /** The place of the record. */
  readonly slot: StoredSlot
  readonly #onFailed: () => void
  /** The last mark that this process has made. */
  #mark: CredentialRecord['pending']
  #unsaved: CredentialRecord | undefined
  /** That of it which was given up with the lock held. */
  #givenUp: CredentialRecord | undefined
  #isStored = false

  /** @param onFailed - Called when something could not be written. */
  constructor(store: CredentialStore, key: string, onFailed: () => void) {
    this.slot = new StoredSlot(store, key, (lease) => this.#writeAgain(lease))
    this.#onFailed = onFailed
  }

  /** What could not be written yet. */
  get unsaved(): CredentialRecord | undefined {
    return this.#unsaved
  }

  /** What this process has is, or was, in the store. */
  get isStored(): boolean {
    return this.#isStored
  }

  /** Notes whether what this process has is in the store. */
  noteStored(isStored = true): void {
    this.#isStored = isStored
  }

  /** Forgets what this process had, for it is given up. */
  forget(): void {
    this.#unsaved = undefined
    this.#isStored = false
  }

  /** Tries again to write what could not be written. */
  async flush(): Promise<void> {
    const record = this.#unsaved
    if (record === undefined) return
    try {
      await this.slot.lock(async () => {
        const stored = await this.slot.get()
        // A logout may have come first.
        if (this.#unsaved !== record) return
        const isUnchanged = stored?.pending !== undefined && isSameMark(stored.pending, this.#mark)
        if (!isUnchanged && !isWorthMore(record, stored)) this.#unsaved = undefined
        else if (!(await writeSoon(() => this.#write(record)))) this.#onFailed()
      })
    } catch {
      this.#onFailed()
    }
  }

  /** Tries for the last time to write what could not be written. */
  close(): Promise<void> {
    this.slot.close()
    return this.flush()
  }

  /** Notes that a single-use grant is about to be sent; this also proves that the store can be written. */
  async markPending(record: CredentialRecord, now: number): Promise<void> {
    const pending = markOf(now)
    await this.slot.set({ ...(this.#unsaved ?? record), pending })
    this.#mark = pending
  }

  /**
   * Writes a record with the lock held, and keeps it in memory when that fails: withholding the token would lose
   * it too.
   */
  async keep(record: CredentialRecord, lease: AbortSignal): Promise<void> {
    this.#unsaved = record
    // Without the lock another process may have written meanwhile, so it is compared first, and later.
    const isWritten = !lease.aborted && (await writeSoon(() => this.#write(record)))
    if (isWritten) return
    if (!lease.aborted) this.#givenUp = record
    this.#onFailed()
  }

  /** Writes a record that came when the lock was given up already. */
  async keepLate(record: CredentialRecord): Promise<void> {
    this.#unsaved = record
    // Another process may hold the lock for as long as an acquisition takes.
    for (let tries = 0; tries < lateTries && this.#unsaved !== undefined; tries += 1) {
      await this.flush()
    }
  }

  /** Deletes the record with the lock held: it says nothing any more. */
  async discard(): Promise<void> {
    await this.slot.delete()
    this.#isStored = false
  }

  async #write(record: CredentialRecord): Promise<void> {
    await this.slot.set(record)
    this.#isStored = true
    // Also when this was given up: what is written must not be written again after a logout.
    if (this.#unsaved === record) this.#unsaved = undefined
  }

  /** Callers have the credential already, and the lock is still held. */
  async #writeAgain(lease: AbortSignal): Promise<void> {
    const record = this.#givenUp
    this.#givenUp = undefined
    if (record === undefined || record !== this.#unsaved || lease.aborted) return
    await writeSoon(() => this.#write(record))
  }
}
