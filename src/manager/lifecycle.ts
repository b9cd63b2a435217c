/**
 * What a caller receives in each state of the held credential. It is long because the states share one table.
 *
 * @module
 */
import type { AcquireReason, Challenge, Credential } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { type Acquisition, type AcquisitionRequest, abortForeign } from './acquisition.ts'
import { coolingError } from './failure.ts'
import type { Flight } from './flight.ts'
import { serves } from './lane.ts'
import { Outcomes } from './outcomes.ts'
import type { ManagerParts } from './parts.ts'
import { isUnusableRecord } from './stored-record.ts'

/** How often the store is read for a login that another process may have made, in milliseconds. */
const storeReadPauseMs = 1000

/**
 * | state | a caller gets | what is started |
 * |---|---|---|
 * | fresh | the credential, without this class | nothing |
 * | early | the credential | a renewal in the background, unless one runs or a pause lasts |
 * | late | the renewed credential; the current one during a pause or when the renewal fails | a renewal, or
 * the running one is joined |
 * | gone | the new credential, or the error of the acquisition | an acquisition, or the running one is joined |
 * | gone, during a pause | the last error, with the remaining time | nothing |
 * | gone, login required | the last error | the store is read, at most once a second |
 * | logout in progress | as above, once it has ended | nothing |
 * | closed | the error `closed` | nothing |
 */
export class Lifecycle {
  readonly #parts: ManagerParts
  readonly #outcomes: Outcomes
  readonly #closing = new AbortController()
  #session = new AbortController()
  #challenges: readonly Challenge[] = []
  #lastStoreRead = -Infinity
  #logout: Pick<Flight<unknown>, 'lost' | 'over'> | undefined

  constructor(parts: ManagerParts) {
    this.#parts = parts
    this.#outcomes = new Outcomes(parts, () => this.#renewInBackground())
  }

  /** Aborts when the manager is closed, with the error that callers receive. */
  get closing(): AbortSignal {
    return this.#closing.signal
  }

  /** Aborts when the credentials of the current session may no longer be used. */
  get ending(): AbortSignal {
    return this.#session.signal
  }

  /**
   * Returns a credential when the held one is not fresh.
   *
   * @param isLogin - Whether to try again after a background acquisition has failed.
   */
  async credential(signal: AbortSignal | undefined, isLogin = false): Promise<Credential> {
    let pending = this.whenOpen(signal)
    for (; pending !== undefined; pending = this.whenOpen(signal)) await pending
    const { held, options } = this.#parts
    const state = held.state(options.now())
    if (state === 'gone') return this.#acquire(signal, isLogin)
    if (state === 'late') return this.#renewOrServe(signal, isLogin)
    if (state === 'early') this.#renewInBackground()
    return held.credential as Credential
  }

  /** Acquires a new credential although the current one is valid. */
  async renew(signal: AbortSignal | undefined): Promise<Credential> {
    let pending = this.whenOpen(signal)
    for (; pending !== undefined; pending = this.whenOpen(signal)) await pending
    const cooling = this.#coolingError()
    if (cooling !== undefined) throw cooling
    return this.#join('forced', signal)
  }

  /** Requests further scopes; no acquisition may be running. */
  stepUp(
    scope: string,
    challenges: readonly Challenge[],
    signal: AbortSignal | undefined,
  ): Promise<Credential> {
    const request = { reason: 'insufficient_scope', background: false, scope, challenges } as const
    return this.#outcomes.start(request).flight.wait(signal)
  }

  /**
   * Reads the store for a login with further scopes, which another process may have made since this one was
   * refused them; at most once a second, and no acquisition may be running.
   */
  async storedStepUp(signal: AbortSignal | undefined): Promise<Credential | undefined> {
    if (!this.#parts.source.stores || !this.#isStoreReadDue()) return undefined
    try {
      // Without further scopes: they would make it a step-up.
      return await this.readStore('expiring').flight.wait(signal)
    } catch {
      signal?.throwIfAborted()
      this.closing.throwIfAborted()
      return undefined
    }
  }

  /** Reads the store, unless an acquisition is running. */
  readStore(reason: AcquireReason): Acquisition {
    const request = { background: true, scope: undefined, challenges: [] } as const
    return this.#parts.lane.running ?? this.#outcomes.start({ ...request, reason, storeOnly: true })
  }

  /**
   * Waits until the running acquisition has settled.
   *
   * @throws The signal's reason; an error when the acquisition is overdue.
   */
  async settled(running: Acquisition, signal: AbortSignal | undefined): Promise<void> {
    if (running.overdue) throw coolingError(this.#outcomes.timeoutError(running), 1000)
    await running.flight.over(signal)
    await this.whenOpen(signal)
  }

  /** Stores the server's challenges for the next acquisition. */
  challenged(challenges: readonly Challenge[]): void {
    this.#challenges = challenges
  }

  /** Clears the pauses after failures and refusals, for a login. */
  allowRetry(): void {
    const { failures, refusals, scopes } = this.#parts
    failures.allowRetry()
    refusals.clear()
    scopes.allowRetry()
  }

  /** Returns no credential until a logout has ended. */
  suspend(logout: Pick<Flight<unknown>, 'lost' | 'over'>): void {
    this.#parts.held.suspend()
    this.#outcomes.suspend()
    this.#logout = logout
    const ended = this.#session
    this.#session = new AbortController()
    abortForeign(ended, this.loggedOutError())
  }

  /** Stops background renewals. */
  pauseRenewals(): void {
    this.#outcomes.pauseRenewals()
  }

  /** Restarts background renewals, where `keepFresh` is set. */
  resumeRenewals(): void {
    this.#outcomes.resumeRenewals()
  }

  /** The newest credential, for the logout; it may have arrived after the logout began. */
  latest(): Credential | undefined {
    return this.#outcomes.latest()
  }

  loggedOutError(): CredentialError {
    return this.#outcomes.loggedOutError()
  }

  /** Ends a logout. */
  resume(gaveUp: boolean): void {
    const { held, failures, refusals, scopes } = this.#parts
    if (this.#logout === undefined) return
    this.#logout = undefined
    if (gaveUp) {
      held.clear()
      failures.clear()
      refusals.clear()
      scopes.clear()
      this.#challenges = []
    }
    this.#outcomes.resume(gaveUp)
  }

  /**
   * Waits until a logout has ended; `undefined`: there is none.
   *
   * @throws The signal's reason; the error `closed` when the manager is closed.
   */
  whenOpen(signal: AbortSignal | undefined): Promise<void> | undefined {
    signal?.throwIfAborted()
    this.closing.throwIfAborted()
    return this.#logout === undefined ? undefined : this.#untilOpen(signal)
  }

  async #untilOpen(signal: AbortSignal | undefined): Promise<void> {
    while (this.#logout !== undefined) {
      const logout = this.#logout
      if (!logout.lost) await logout.over(this.closing, signal)
      // The unfinished work of that request must not restore the credential.
      if (logout.lost && logout === this.#logout) this.resume(true)
    }
  }

  /** Returns no credential any more. */
  close(): CredentialError {
    const { held, provider, options, tenant } = this.#parts
    const { resource } = options
    const label = resourceLabel(resource)
    const error = new CredentialError('closed', `The credential manager for ${label} is closed.`, {
      resource,
      provider: provider.name,
      tenant,
      remedy: 'Call withCredentials() or authorizedFetch() again.',
    })
    held.close()
    this.#outcomes.suspend()
    this.#closing.abort(error)
    abortForeign(this.#session, error)
    return error
  }

  #renewInBackground(): void {
    const { held, lane, failures } = this.#parts
    if (!held.open || lane.running !== undefined || failures.pauseMs > 0) return
    this.#outcomes.start(this.#request(this.#reason(), true))
  }

  async #renewOrServe(signal: AbortSignal | undefined, isLogin: boolean): Promise<Credential> {
    const { held, lane, failures, options } = this.#parts
    const { credential, epoch } = held
    const { running } = lane
    const isOccupied = running?.overdue === true || running?.request.reason === 'insufficient_scope'
    if (isOccupied || failures.pauseMs > 0) return credential as Credential
    try {
      return await this.#join('expiring', signal, isLogin)
    } catch (error) {
      const { credential: present } = held
      const isUsable = held.usableFor(options.now()) > 0 && epoch === held.epoch
      if (present === undefined || !isUsable || signal?.aborted === true) throw error
      return present
    }
  }

  #acquire(signal: AbortSignal | undefined, isLogin: boolean): Promise<Credential> {
    const cooling = this.#coolingError()
    if (cooling === undefined) return this.#join(this.#reason(), signal, isLogin)
    const isReading = this.#parts.lane.running?.request.storeOnly === true
    if (isReading || this.#mayReadStore()) return this.#adoptStored(cooling, signal)
    return Promise.reject(cooling)
  }

  /** Joins the running acquisition where its result can be used; otherwise starts one after it. */
  async #join(
    wanted: AcquireReason,
    signal: AbortSignal | undefined,
    isLogin = false,
  ): Promise<Credential> {
    const { held, lane, failures, options } = this.#parts
    // Each retry requires another request that has ended, so their number needs no limit.
    const again = () =>
      wanted === 'forced' ? this.renew(signal) : this.credential(signal, isLogin)
    for (;;) {
      let pending = this.whenOpen(signal)
      for (; pending !== undefined; pending = this.whenOpen(signal)) await pending
      const reason = wanted === 'forced' ? wanted : this.#reason()
      const request = this.#request(reason, false, isLogin)
      const { running } = lane
      if (running === undefined) return this.#outcomes.start(request).flight.wait(signal)
      if (running.overdue || !serves(running.request, request)) await this.settled(running, signal)
      else {
        const isOver = running.answered
        const { epoch } = held
        try {
          return await running.flight.wait(signal, again)
        } catch (error) {
          // A background acquisition must not ask the user, and its failure does not stop a caller that may.
          const isUnattended = running.request.background && (isLogin || failures.unattended)
          // A login replaces an unusable record, on which other acquisitions fail.
          const mayReplace = isLogin && running.request.isLogin !== true && isUnusableRecord(error)
          const mayRetry = isLogin && (isOver || !running.asked) && epoch === held.epoch
          const mayAsk = isUnattended || mayReplace || mayRetry
          if (signal?.aborted === true || !mayAsk) throw error
          if (isLogin) failures.allowRetry()
          await this.whenOpen(signal)
        }
      }
      const isUsable = held.usableFor(options.now()) > 0
      if (wanted !== 'forced' && isUsable) return held.credential as Credential
      const cooling = this.#coolingError()
      if (cooling !== undefined) throw cooling
    }
  }

  #request(reason: AcquireReason, background: boolean, isLogin = false): AcquisitionRequest {
    const { scopes } = this.#parts
    return {
      reason,
      background,
      isLogin,
      // Read when the provider is called: a detached step-up may have ended by then.
      get scope() {
        return scopes.scope
      },
      challenges: this.#challenges,
    }
  }

  #reason(): AcquireReason {
    const { rejected, credential } = this.#parts.held
    if (rejected) return 'rejected'
    return credential === undefined ? 'missing' : 'expiring'
  }

  /** Whether to read the store: another process may have logged in. */
  #mayReadStore(): boolean {
    const { source, failures, lane } = this.#parts
    if (!source.stores || !failures.needsLogin || lane.running !== undefined) return false
    return this.#isStoreReadDue()
  }

  #isStoreReadDue(): boolean {
    const { clock } = this.#parts
    if (clock() < this.#lastStoreRead + storeReadPauseMs) return false
    this.#lastStoreRead = clock()
    return true
  }

  async #adoptStored(
    refused: CredentialError,
    signal: AbortSignal | undefined,
  ): Promise<Credential> {
    try {
      return await this.readStore(this.#reason()).flight.wait(signal)
    } catch {
      signal?.throwIfAborted()
      this.closing.throwIfAborted()
      throw refused
    }
  }

  /** The error for callers during a pause; `undefined`: there is no pause, or a running acquisition may end it. */
  #coolingError(): CredentialError | undefined {
    const { failures, lane, reporter } = this.#parts
    const { last, pauseMs, unattended, needsLogin } = failures
    if (last === undefined || pauseMs <= 0 || unattended) return undefined
    const { running } = lane
    const mayEnd = running !== undefined && running.request.storeOnly !== true && !running.overdue
    if (mayEnd) return undefined
    if (needsLogin) return last.error
    reporter.emit({ type: 'cooldown', code: last.error.code, retryIn: pauseMs / 1000 })
    return coolingError(last.error, pauseMs)
  }
}
