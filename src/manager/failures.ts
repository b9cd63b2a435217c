/**
 * Failed acquisitions: how long the pause lasts, and which error callers receive in the meantime.
 *
 * @module
 */
import type { CredentialError } from '../errors.ts'
import { backOff, retryAfterMs, shortestBackOff } from './renewal.ts'

/** The circumstances of a failure. */
export interface FailureCircumstances {
  /** Milliseconds for which the current credential can still be used; 0 when there is none. */
  readonly usableFor: number
  /** Whether user interaction is required, which the acquisition was not allowed. */
  readonly unattended: boolean
}

/** A recorded failure. */
export interface Failure {
  readonly error: CredentialError
  /** How many attempts in a row have failed. */
  readonly attempt: number
  /** Milliseconds until the next attempt; `Infinity`: not before a login. */
  readonly waitMs: number
}

/** The pause after a non-retryable error, in milliseconds, unless the error names another. */
const coolDownMs = 60_000
/** The longest pause after a failure of the store: nothing was sent, and the store may recover at any time. */
const longestStorePauseMs = 1000
/** A login clears failures, but a listener that logs in after every failure must not loop. */
const maxLogins = 5
const loginPeriodMs = 10_000

/** The series of failures since the last success. Pauses use the monotonic clock. */
export class Failures {
  readonly #clock: () => number
  readonly #random: () => number
  #failure: Failure | undefined
  #attempts = 0
  #notBefore = -Infinity
  #unattended = false
  #logins: readonly number[] = []

  constructor(clock: () => number, random: () => number) {
    this.#clock = clock
    this.#random = random
  }

  /** The last failure, unless it was followed by a success. */
  get last(): Failure | undefined {
    return this.#failure
  }

  /**
   * Whether user interaction is required and has not been tried: background renewals stop, but callers may try
   * it.
   */
  get unattended(): boolean {
    return this.#unattended
  }

  /** Only a login ends the failure. */
  get needsLogin(): boolean {
    return this.#notBefore === Infinity
  }

  /** Milliseconds until an acquisition may be tried; 0: now. */
  get pauseMs(): number {
    return Math.max(0, this.#notBefore - this.#clock())
  }

  /** Records a failed acquisition. */
  record(error: CredentialError, { usableFor, unattended }: FailureCircumstances): Failure {
    const attempt = this.#attempts + 1
    const waitMs = this.#waitMs(error, attempt, usableFor)
    return this.#set({ error, attempt, waitMs }, unattended)
  }

  /**
   * Records an acquisition whose credential had expired when it arrived. The first one of a series is not
   * followed by a pause: the process may have been suspended while it waited for the response.
   */
  recordExpired(error: CredentialError): Failure {
    const attempt = this.#attempts + 1
    const waitMs = attempt === 1 ? 0 : Math.max(1000, backOff(attempt, this.#random()))
    return this.#set({ error, attempt, waitMs }, false)
  }

  /** Ends the series, after a success or a logout. */
  clear(): void {
    this.#failure = undefined
    this.#attempts = 0
    this.#notBefore = -Infinity
    this.#unattended = false
  }

  /** Allows another attempt immediately, for a login; a few times in ten seconds. */
  allowRetry(): void {
    const now = this.#clock()
    const recent = this.#logins.filter((time) => now - time < loginPeriodMs)
    if (this.#failure === undefined || recent.length >= maxLogins) return
    this.#logins = [...recent, now]
    this.clear()
  }

  #set(failure: Failure, unattended: boolean): Failure {
    this.#failure = failure
    this.#attempts = failure.attempt
    this.#notBefore = this.#clock() + failure.waitMs
    this.#unattended = unattended
    return failure
  }

  #waitMs(error: CredentialError, attempt: number, usableFor: number): number {
    if (error.code === 'login_required') return Infinity
    const { retryable, retryAfter } = error
    if (!retryable) return retryAfterMs(retryAfter) || coolDownMs
    const isStore = error.code === 'store' && retryAfter === undefined
    const longest = isStore ? longestStorePauseMs : Infinity
    const wait = Math.min(longest, backOff(attempt, this.#random(), retryAfter))
    if (usableFor <= 0) return wait
    // The pause must not outlast a credential that can still be used, or callers would see the failure.
    return Math.max(shortestBackOff, Math.min(wait, usableFor / 2), retryAfterMs(retryAfter))
  }
}
