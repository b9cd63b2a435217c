/**
 * Writes the record of a login so that nothing that was obtained is lost.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isEmpty } from '../credential-record.ts'
import { within } from '../waiting.ts'
import { writeSoon } from './durable-write.ts'
import { isSameVersion, type LoginVersion, versionOf } from './login-version.ts'
import { isSameMark, isWorthMore, type Mark, markOf, type UnsavedRecord } from './stored-record.ts'
import { StoredSlot } from './stored-slot.ts'

/** How often a credential that came late is tried to be written. */
const lateTries = 3
/** How long it may take to see whether a write that failed has landed, in milliseconds. */
const readBackLimitMs = 1000

/** How what was acquired is kept. */
export interface Keeping {
  /** The version that it gets. */
  readonly next: LoginVersion
  /** The version of the login that was in the store when it was acquired; `undefined`: there was none. */
  readonly replaces: LoginVersion | undefined
  /** A single-use grant was sent for it. */
  readonly committed: boolean
  /** The mark that was made before. */
  readonly mark: Mark
}

/** Writes one record, and keeps in memory what could not be written yet. */
export class RecordWriter {
  /** The place of the record. */
  readonly slot: StoredSlot
  readonly #onFailed: () => void
  #unsaved: UnsavedRecord | undefined
  /** That of it which was given up with the lock held. */
  #givenUp: UnsavedRecord | undefined
  #isStored = false

  /** @param onFailed - Called when something could not be written. */
  constructor(store: CredentialStore, key: string, onFailed: () => void) {
    this.slot = new StoredSlot(store, key, (lease) => this.#writeAgain(lease))
    this.#onFailed = onFailed
  }

  /** Whether something could not be written yet. */
  get hasUnsaved(): boolean {
    return this.#unsaved !== undefined
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

  /** Whether what could not be written yet is newer than what is stored. */
  outranks(stored: CredentialRecord | undefined): boolean {
    return this.#unsaved !== undefined && isWorthMore(this.#unsaved, stored, this.#isStored)
  }

  /** With the lock held, drops what could not be written and is outdated since: by another login, or by a logout. */
  dropOutdated(stored: CredentialRecord | undefined): void {
    if (this.#unsaved === undefined || this.outranks(stored)) return
    this.#unsaved = undefined
    // Its mark or its predecessor was in the store, so that a store without a login means a logout.
    this.#isStored = true
  }

  /** Tries again to write what could not be written. */
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

  /** Tries for the last time to write what could not be written. */
  close(): Promise<void> {
    this.slot.close()
    return this.flush()
  }

  /**
   * Notes that a single-use grant is about to be sent; this also proves that the store can be written.
   *
   * @param record - What is stored.
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
   * With the lock held, undoes the mark after a failure, or gives up what was refused; never what another process has
   * written since.
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
   * Writes a record with the lock held, and keeps it in memory when that fails: withholding the token would lose
   * it too.
   */
  async keep(record: CredentialRecord, keeping: Keeping, lease: AbortSignal): Promise<void> {
    const unsaved = this.#note(record, keeping)
    // Without the lock another process may have written meanwhile, so it is compared first, and later.
    const isWritten = !lease.aborted && (await writeSoon(() => this.#write(unsaved)))
    if (isWritten) return
    if (!lease.aborted) {
      this.#givenUp = unsaved
      await this.#noteLanded(unsaved)
    }
    this.#onFailed()
  }

  /** Writes a record that came when the lock was given up already. */
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
    // Also when this was given up: what is written must not be written again after a logout.
    if (this.#unsaved === unsaved) this.#unsaved = undefined
  }

  /** A write may have landed although it was reported as failed; a logout elsewhere then counts for it. */
  #noteLanded(unsaved: UnsavedRecord): Promise<void> {
    const reading = this.slot.get().then((stored) => {
      const isThere = isSameVersion(versionOf(stored), versionOf(unsaved.record))
      if (isThere && this.#unsaved === unsaved) this.#isStored = true
    })
    return within(readBackLimitMs, reading)
  }

  /** Callers have the credential already, and the lock is still held. */
  async #writeAgain(lease: AbortSignal): Promise<void> {
    const unsaved = this.#givenUp
    this.#givenUp = undefined
    if (unsaved === undefined || unsaved !== this.#unsaved || lease.aborted) return
    await writeSoon(() => this.#write(unsaved))
  }
}
