/**
 * Writes the record of a login without losing obtained credentials.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isEmpty } from '../credential-record.ts'
import { within } from '../waiting.ts'
import { writeSoon } from './durable-write.ts'
import { isSameVersion, type LoginVersion, versionOf } from './login-version.ts'
import {
  isNewerThanStored,
  isSameMark,
  type Mark,
  markOf,
  type UnsavedRecord,
} from './stored-record.ts'
import { StoredSlot } from './stored-slot.ts'

/** The number of attempts to write a credential that arrived late. */
const lateTries = 3
/** The time limit for reading back a failed write, in milliseconds. */
const readBackLimitMs = 1000

/** How an acquired credential is stored. */
export interface Keeping {
  /** Its new version. */
  readonly next: LoginVersion
  /** The version of the login that was in the store when it was acquired; `undefined`: there was none. */
  readonly replaces: LoginVersion | undefined
  /** Whether a single-use grant was sent for it. */
  readonly committed: boolean
  /** The mark that was written before. */
  readonly mark: Mark
}

/** Writes one record, and keeps it in memory while it cannot be written. */
export class RecordWriter {
  /** The place of the record. */
  readonly slot: StoredSlot
  readonly #onFailed: () => void
  #unsaved: UnsavedRecord | undefined
  /** The record whose write was abandoned with the lock held. */
  #givenUp: UnsavedRecord | undefined
  #isStored = false

  /** @param onFailed - Called when a write has failed. */
  constructor(store: CredentialStore, key: string, onFailed: () => void) {
    this.slot = new StoredSlot(store, key, (lease) => this.#writeAgain(lease))
    this.#onFailed = onFailed
  }

  /** Whether a record has not been written yet. */
  get hasUnsaved(): boolean {
    return this.#unsaved !== undefined
  }

  /** Whether the record of this process is, or was, in the store. */
  get isStored(): boolean {
    return this.#isStored
  }

  /** Records whether the store has the record of this process. */
  noteStored(isStored = true): void {
    this.#isStored = isStored
  }

  /** Discards the record of this process. */
  forget(): void {
    this.#unsaved = undefined
    this.#isStored = false
  }

  /** Whether the unwritten record is newer than the stored one. */
  outranks(stored: CredentialRecord | undefined): boolean {
    return this.#unsaved !== undefined && isNewerThanStored(this.#unsaved, stored, this.#isStored)
  }

  /** With the lock held, drops an unwritten record that another login or a logout has made outdated. */
  dropOutdated(stored: CredentialRecord | undefined): void {
    if (this.#unsaved === undefined || this.outranks(stored)) return
    this.#unsaved = undefined
    // Its mark or its predecessor was in the store, so a store without a login means a logout.
    this.#isStored = true
  }

  /** Retries writes that failed. */
  async flush(): Promise<void> {
    if (this.#unsaved === undefined) return
    try {
      await this.slot.lock(async () => {
        this.dropOutdated(await this.slot.get())
        const unsaved = this.#unsaved
        if (unsaved === undefined) return
        if (!(await writeSoon(() => this.#write(unsaved)))) this.#onFailed()
      })
    } catch {
      this.#onFailed()
    }
  }

  /** Retries writes that failed for the last time. */
  close(): Promise<void> {
    this.slot.close()
    return this.flush()
  }

  /**
   * Records that a single-use grant is about to be sent; this also proves that the store is writable.
   *
   * @param record - The stored record.
   * @returns The mark.
   */
  async markPending(record: CredentialRecord, now: number): Promise<Mark> {
    const pending = markOf(now)
    const unsaved = this.#unsaved
    await this.slot.set({ ...(unsaved?.record ?? record), pending })
    if (unsaved !== undefined) this.#saved(unsaved)
    return pending
  }

  /**
   * With the lock held, removes the mark after a failure, or discards a refused login; never what another
   * process has written since.
   */
  async undoMark(mark: Mark, isRefused: boolean, now: number): Promise<void> {
    if (mark === undefined) return
    try {
      const stored = await this.slot.get()
      if (stored === undefined || !isSameMark(stored.pending, mark)) return
      const { pending: _done, ...rest } = stored
      const isAlive = rest.expiresAt !== undefined && rest.expiresAt > now
      if (isEmpty(stored)) await this.slot.delete()
      else if (!isRefused) await this.slot.set(rest)
      else if (isAlive) await this.slot.set({ ...rest, refused: true })
      else {
        await this.slot.delete()
        this.#isStored = false
      }
    } catch {
      this.#onFailed()
    }
  }

  /**
   * Writes a record with the lock held, and keeps it in memory when that fails: withholding the token from
   * callers would also lose it.
   */
  async keep(record: CredentialRecord, keeping: Keeping, lease: AbortSignal): Promise<void> {
    const unsaved = this.#note(record, keeping)
    // Without the lock another process may have written, so it is compared first, in a later attempt.
    const isWritten = !lease.aborted && (await writeSoon(() => this.#write(unsaved)))
    if (isWritten) return
    if (!lease.aborted) {
      this.#givenUp = unsaved
      await this.#noteLanded(unsaved)
    }
    this.#onFailed()
  }

  /** Writes a record that arrived after the lock was released. */
  async keepLate(record: CredentialRecord, keeping: Keeping): Promise<void> {
    this.#note(record, keeping)
    // Another process may hold the lock for as long as an acquisition takes.
    for (let tries = 0; tries < lateTries && this.#unsaved !== undefined; tries += 1) {
      await this.flush()
    }
  }

  #note(
    record: CredentialRecord,
    { next: { login, generation }, replaces, mark }: Keeping,
  ): UnsavedRecord {
    const named = { ...record, ...(login === undefined ? {} : { login }), generation }
    this.#unsaved = { record: named, replaces, mark }
    return this.#unsaved
  }

  async #write(unsaved: UnsavedRecord): Promise<void> {
    await this.slot.set(unsaved.record)
    this.#saved(unsaved)
  }

  #saved(unsaved: UnsavedRecord): void {
    this.#isStored = true
    // Also after an abandonment: a written record must not be written again after a logout.
    if (this.#unsaved === unsaved) this.#unsaved = undefined
  }

  /** Checks whether a write that was reported as failed was applied: a logout elsewhere then applies to it. */
  #noteLanded(unsaved: UnsavedRecord): Promise<void> {
    const reading = this.slot.get().then((stored) => {
      const isThere = isSameVersion(versionOf(stored), versionOf(unsaved.record))
      if (isThere && this.#unsaved === unsaved) this.#isStored = true
    })
    return within(readBackLimitMs, reading)
  }

  /** Retries the abandoned write: callers already have the credential, and the lock is still held. */
  async #writeAgain(lease: AbortSignal): Promise<void> {
    const unsaved = this.#givenUp
    this.#givenUp = undefined
    if (unsaved === undefined || unsaved !== this.#unsaved || lease.aborted) return
    await writeSoon(() => this.#write(unsaved))
  }
}
