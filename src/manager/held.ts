/**
 * The credential that a manager holds.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import type { RenewalDeadlines } from './renewal.ts'

/**
 * The state of the held credential:
 *
 * | state | condition | what a caller gets |
 * |---|---|---|
 * | `fresh` | before `refreshAt` | the credential |
 * | `early` | before `hardAt` | the credential, and a renewal begins in the background |
 * | `late` | before `expiresAt` | the renewed credential; the current one when the renewal fails |
 * | `gone` | expired, refused, discarded or never acquired | the renewed credential, or an error |
 */
export type HeldState = 'fresh' | 'early' | 'late' | 'gone'

const noDeadlines: RenewalDeadlines = {
  refreshAt: -Infinity,
  hardAt: -Infinity,
  expiresAt: -Infinity,
}

interface HeldCredential {
  readonly credential: Credential
  /** The credential as a promise, the same for every caller. */
  readonly ready: Promise<Credential>
  readonly deadlines: RenewalDeadlines
  readonly scope: string | undefined
}

/** One credential, its deadlines and its place in the series of credentials. */
export class Held {
  #present: HeldCredential | undefined
  #freshUntil = -Infinity
  #rejected = false
  #recovered: Credential | undefined
  #generation = 0
  #epoch = 0
  /** The epoch of the last logout. */
  #gaveUpIn = 0
  #phase: 'open' | 'suspended' | 'closed' = 'open'

  /** The credential; it may be expired or refused. */
  get credential(): Credential | undefined {
    return this.#present?.credential
  }

  /** The credential as a promise, the same for every caller. */
  get ready(): Promise<Credential> | undefined {
    return this.#present?.ready
  }

  /** Until when it is returned without further checks; the only comparison of the hot path. */
  get freshUntil(): number {
    return this.#freshUntil
  }

  get deadlines(): RenewalDeadlines {
    return this.#present?.deadlines ?? noDeadlines
  }

  /** The scopes that it was granted, where they are known. */
  get scope(): string | undefined {
    return this.#present?.scope
  }

  /** Whether the server has refused it. */
  get rejected(): boolean {
    return this.#rejected
  }

  /** Counts the credentials of this manager, from 1. */
  get generation(): number {
    return this.#generation
  }

  /** Counts logouts and the close: the outcome of an acquisition of an earlier epoch is not used. */
  get epoch(): number {
    return this.#epoch
  }

  /** Whether acquisitions may start: no logout is in progress, and the manager is not closed. */
  get open(): boolean {
    return this.#phase === 'open'
  }

  /** Whether the manager is closed. */
  get closed(): boolean {
    return this.#phase === 'closed'
  }

  /** What an acquisition replaces: the credential, or what was recovered from an invalid response. */
  get previous(): Credential | undefined {
    return this.#recovered ?? this.credential
  }

  state(now: number): HeldState {
    if (this.#present === undefined || this.#rejected) return 'gone'
    const { refreshAt, hardAt, expiresAt } = this.deadlines
    if (now < refreshAt) return 'fresh'
    if (now < hardAt) return 'early'
    return now < expiresAt ? 'late' : 'gone'
  }

  /** Milliseconds for which the credential can still be sent; 0 when it cannot. */
  usableFor(now: number): number {
    return this.state(now) === 'gone' ? 0 : this.deadlines.expiresAt - now
  }

  /** Replaces the credential. */
  adopt(credential: Credential, deadlines: RenewalDeadlines, scope: string | undefined): void {
    this.#present = {
      credential,
      ready: Promise.resolve(credential),
      deadlines,
      scope: credential.scope ?? scope,
    }
    this.#freshUntil = this.#phase === 'open' ? deadlines.refreshAt : -Infinity
    this.#rejected = false
    this.#recovered = undefined
    this.#generation += 1
  }

  /** Marks the credential as refused by the server: it is not returned again. */
  reject(): void {
    this.#rejected = true
    this.#freshUntil = -Infinity
  }

  /** Keeps what the issuer has already replaced, for the next acquisition. */
  recover(credential: Credential): void {
    this.#recovered = credential
  }

  /** Returns no credential until {@link Held.resume}, and ignores running acquisitions. */
  suspend(): void {
    if (this.#phase === 'open') this.#phase = 'suspended'
    this.#epoch += 1
    this.#freshUntil = -Infinity
  }

  /** Ends {@link Held.suspend}. */
  resume(): void {
    if (this.#phase !== 'suspended') return
    this.#phase = 'open'
    if (!this.#rejected) this.#freshUntil = this.deadlines.refreshAt
  }

  /** Returns no credential any more, and ignores running acquisitions. */
  close(): void {
    this.#phase = 'closed'
    this.#epoch += 1
    this.#freshUntil = -Infinity
  }

  /** Whether there was a logout since an epoch, so that a credential acquired then must not be used. */
  loggedOutSince(epoch: number): boolean {
    return epoch < this.#gaveUpIn
  }

  /** Discards the credential. */
  clear(): void {
    this.#gaveUpIn = this.#epoch
    this.#present = undefined
    this.#freshUntil = -Infinity
    this.#rejected = false
    this.#recovered = undefined
  }
}
