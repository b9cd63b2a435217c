/**
 * A credential that several processes share through a store: it is read again under the lock, renewed by one
 * process, and stored before it is returned.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
  CredentialStore,
} from '../credential.ts'
import { isEmpty } from '../credential-record.ts'
import { type CredentialError, isCredentialError, StoreError } from '../errors.ts'
import type { CredentialEventDetails } from '../events.ts'
import { recordLabel } from '../labels.ts'
import { scopeCovers } from '../scope.ts'
import { abortable } from '../waiting.ts'
import { hasValidTimes } from './credential-check.ts'
import {
  isEarlier,
  isSameVersion,
  type LoginVersion,
  nextVersion,
  noVersion,
  versionOf,
} from './login-version.ts'
import type { Acquire, Obtained, StoredRequest } from './obtained.ts'
import { type Keeping, RecordWriter } from './record-writer.ts'
import {
  emptyRecord,
  foreignRecord,
  isRefusal,
  isUnusableRecord,
  loggedOutElsewhere,
  type RecordOwner,
  recordKey,
  rotationLost,
} from './stored-record.ts'
import type { StoredSlot } from './stored-slot.ts'

/** One record of a store. */
export class Persistence {
  readonly #writer: RecordWriter
  readonly #slot: StoredSlot
  /** Names the record in messages; the key may contain a secret path. */
  readonly #label: string
  readonly #provider: CredentialProvider
  readonly #now: () => number
  readonly #emit: (details: CredentialEventDetails) => void
  /** The version of the record that this process saw last. */
  #known = noVersion
  /** Counts logouts. */
  #removals = 0

  constructor(
    store: CredentialStore,
    owner: RecordOwner,
    provider: CredentialProvider,
    now: () => number,
    emit: (details: CredentialEventDetails) => void,
  ) {
    const key = recordKey(owner)
    this.#writer = new RecordWriter(store, key, () => this.#failed())
    this.#slot = this.#writer.slot
    this.#label = recordLabel(key)
    this.#provider = provider
    this.#now = now
    this.#emit = emit
  }

  /**
   * Obtains a credential: a newer one of another process, or, with the lock held, one from the provider.
   *
   * @throws {@link StoreError} when the store cannot be used; no grant was sent then.
   */
  async obtain(request: StoredRequest, acquire: Acquire): Promise<Obtained> {
    await this.#writer.flush()
    const known = await this.#newer((await this.#read(request)).record, request)
    if (known !== undefined) return { credential: known, source: 'store' }
    if (request.storeOnly) throw new StoreError('get', `The record of ${this.#label} is unchanged.`)
    const since = this.#now()
    return this.#slot.lock((lease) => {
      const ms = this.#now() - since
      if (ms >= 10) this.#emit({ type: 'lock_wait', ms })
      return this.#renew(request, acquire, lease)
    }, request.signal)
  }

  /** Whether there is a login, which may need a renewal. */
  async has(): Promise<boolean> {
    const record = await this.#slot.get().catch(() => undefined)
    return record !== undefined && record.refused !== true && Object.keys(record.data).length > 0
  }

  /** Whether a login has not been written yet. */
  get unsaved(): boolean {
    return this.#writer.hasUnsaved
  }

  /** Retries writes that failed. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /** Retries writes that failed for the last time. */
  close(): Promise<void> {
    return this.#writer.close()
  }

  /**
   * Removes the record, for a logout. The lock prevents a renewal in the meantime.
   *
   * @param revoke - Receives the stored credential, unless this process has a newer one, and whether there is
   * a record that could not be read.
   */
  async remove(
    revoke: (stored: Credential | undefined, isUnread: boolean) => Promise<void>,
    context: AcquireContext,
    signal: AbortSignal,
  ): Promise<void> {
    const task = async () => {
      const { record, isUnusable } = await this.#read({ isLogin: true, context, signal })
      const wanted = this.#isBehind(record) ? undefined : record
      const stored = await this.#restore(wanted, context, signal)
      signal.throwIfAborted()
      // Deleted first: nothing may be revoked when the record cannot be removed.
      await this.#slot.delete()
      if (signal.aborted) {
        // The logout has failed in the meantime, so nothing may be discarded.
        if (record !== undefined) await this.#slot.set(record)
        throw signal.reason
      }
      // Still under the lock, so that no late response is written in between.
      this.#removals += 1
      this.#forget()
      await revoke(stored, isUnusable || !isEmpty(record))
    }
    await this.#slot.lock(task, signal)
  }

  async #renew(request: StoredRequest, acquire: Acquire, lease: AbortSignal): Promise<Obtained> {
    const { signal } = request
    const { record, isUnusable } = await this.#read(request)
    const newer = await this.#newer(record, request)
    if (newer !== undefined) return { credential: newer, source: 'peer' }
    const { previous, present, replaces } = await this.#begin(record, isUnusable, request)
    const next = nextVersion(present, previous !== undefined)
    // This process holds the lock, so the process that left the mark ended before it stored the response.
    const wasPending = record?.pending !== undefined
    let keeping: Keeping = { next, replaces, committed: false, mark: undefined }
    let salvaged: Credential | undefined
    // The caller may have aborted while waiting for the lock and the store.
    signal.throwIfAborted()
    try {
      const acquiring = acquire(
        previous,
        async () => {
          throwIfAborted(signal, lease)
          keeping = { ...keeping, committed: true }
          // A record that cannot be used stays until the login has succeeded.
          if (!isUnusable) keeping = { ...keeping, mark: await this.#markPending(record, present) }
          // After an abandonment, another process may have the lock.
          throwIfAborted(signal, lease)
        },
        (rest) => {
          salvaged = rest
        },
      )
      const credential = await this.#whileWanted(acquiring, request, () => keeping)
      await this.#keep(credential.record, keeping, lease)
      return { credential, source: 'network' }
    } catch (error) {
      // A refused step-up does not invalidate the existing login.
      const isRefused = isRefusal(error) && request.reason !== 'insufficient_scope'
      const isUndone = !signal.aborted && !isCredentialError(error, 'outcome_unknown')
      if (salvaged?.record !== undefined) await this.#keep(salvaged.record, keeping, lease)
      else if (isUndone) await this.#writer.undoMark(keeping.mark, isRefused, this.#now())
      throw wasPending && isRefusal(error)
        ? rotationLost(this.#provider.name, error as CredentialError)
        : error
    }
  }

  /** Finds the credential to renew, with the lock held. */
  async #begin(record: CredentialRecord | undefined, isUnusable: boolean, request: StoredRequest) {
    if (!isUnusable) this.#writer.dropOutdated(record)
    const isKnown = this.#writer.isStored && !this.unsaved
    const isGone = isKnown && !isUnusable && isEmpty(record)
    if (isGone) this.#giveUp(request)
    const wanted = this.#isBehind(record) ? undefined : record
    const restored = await this.#restore(wanted, request.context, request.signal)
    if (restored !== undefined) this.#writer.noteStored()
    // The credential in memory is not used when the store has another login.
    const isOther = isGone || this.#isOther(wanted)
    const before = restored ?? (isOther ? undefined : request.previous)
    return {
      previous: record?.refused === true ? undefined : before,
      present: isEmpty(wanted) ? this.#known : versionOf(wanted),
      replaces: isEmpty(record) ? undefined : versionOf(record),
    }
  }

  /**
   * Handles a record that was removed because another process has logged out. The credential in memory
   * belongs to that login, and must not restore it.
   *
   * @throws `LoginRequiredError` where a new login requires user interaction, and this is not a login.
   */
  #giveUp({ isLogin, giveUp, context }: StoredRequest): void {
    this.#forget()
    giveUp()
    if (this.#provider.interactive === true && !isLogin) {
      throw loggedOutElsewhere(this.#provider.name, context.resource)
    }
  }

  #forget(): void {
    this.#known = noVersion
    this.#writer.forget()
  }

  /** Waits while the credential is wanted: a provider that ignores the signal must not hold the lock for longer. */
  async #whileWanted(
    acquiring: Promise<Credential>,
    { signal, discard }: StoredRequest,
    keeping: () => Keeping,
  ): Promise<Credential> {
    const removals = this.#removals
    try {
      return await abortable(acquiring, signal)
    } catch (error) {
      if (!signal.aborted) throw error
      // A credential that still arrives has consumed a refresh token.
      const keepLate = async (late: Credential) => {
        const kept = keeping()
        if (late.record === undefined || !kept.committed) return
        if (this.#removals !== removals) return discard(late)
        await this.#writer.keepLate(late.record, kept)
      }
      acquiring.then(keepLate).catch(() => {})
      throw error
    }
  }

  /** Reads the record. For a login, a record that cannot be used counts as missing. */
  async #read({
    isLogin,
    context,
    signal,
  }: Pick<StoredRequest, 'isLogin' | 'context' | 'signal'>): Promise<{
    readonly record: CredentialRecord | undefined
    readonly isUnusable: boolean
  }> {
    try {
      const record = await this.#slot.get()
      if (isLogin) await this.#restore(record, context, signal)
      return { record, isUnusable: false }
    } catch (error) {
      if (isLogin && isUnusableRecord(error)) return { record: undefined, isUnusable: true }
      throw error
    }
  }

  #markPending(record: CredentialRecord | undefined, present: LoginVersion) {
    const base = record ?? emptyRecord(this.#provider.name, present)
    return this.#writer.markPending(base, this.#now())
  }

  async #keep(
    record: CredentialRecord | undefined,
    keeping: Keeping,
    lease: AbortSignal,
  ): Promise<void> {
    this.#known = keeping.next
    if (record !== undefined) return this.#writer.keep(record, keeping, lease)
    this.#writer.noteStored(false)
    if (keeping.committed) await this.#slot.delete().catch(() => this.#failed())
  }

  /**
   * Whether this process has a newer record than the store, which may have been restored to an older state. A
   * different login in the store is newer, because it requires a logout first.
   */
  #isBehind(record: CredentialRecord | undefined): boolean {
    return this.unsaved ? this.#writer.outranks(record) : isEarlier(versionOf(record), this.#known)
  }

  /** Whether a record belongs to a different login from the one of this process. */
  #isOther(record: CredentialRecord | undefined): boolean {
    const { login, generation } = this.#known
    return record !== undefined && !isEmpty(record) && generation > 0 && record.login !== login
  }

  async #restore(
    record: CredentialRecord | undefined,
    context: AcquireContext,
    signal: AbortSignal,
  ): Promise<Credential | undefined> {
    if (record === undefined) return undefined
    // A provider that does not return must not hold the lock indefinitely.
    const restoring = Promise.resolve(this.#provider.restore?.(record, context))
    const credential = await abortable(restoring, signal)
    // A record that only a login can replace is never overwritten.
    const isOwn = record.provider === this.#provider.name && !('refreshToken' in record.data)
    if (credential !== undefined || isOwn || Object.keys(record.data).length === 0)
      return credential
    throw foreignRecord(this.#label, record, this.#provider)
  }

  /** Returns the credential of a record that this process has not seen yet, if it can be used. */
  async #newer(
    record: CredentialRecord | undefined,
    { reason, context, signal }: StoredRequest,
  ): Promise<Credential | undefined> {
    if (record === undefined || this.#isBehind(record)) return undefined
    const version = versionOf(record)
    if (version.generation === 0 || isSameVersion(version, this.#known)) return undefined
    if (reason === 'forced') return undefined
    const { obtainedAt = 0, expiresAt = Infinity } = record
    const margin = Math.min(10_000, Math.max(0, expiresAt - obtainedAt) / 10)
    if (this.#now() >= expiresAt - margin) return undefined
    const credential = await this.#restore(record, context, signal)
    const { scope } = context
    const isNarrow = scope !== undefined && !scopeCovers(credential?.scope, scope)
    if (reason === 'insufficient_scope' && isNarrow) return undefined
    if (credential === undefined || !hasValidTimes(credential)) return undefined
    // The provider may mark it as usable for a renewal only.
    if ((credential.expiresAt ?? Infinity) <= this.#now()) return undefined
    this.#known = version
    this.#writer.noteStored()
    return credential
  }

  #failed(): void {
    this.#emit({ type: 'store_failed', operation: 'set' })
  }
}

function throwIfAborted(...signals: readonly AbortSignal[]): void {
  for (const signal of signals) signal.throwIfAborted()
}
