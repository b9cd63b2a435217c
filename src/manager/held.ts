/**
 * The credential that a manager holds.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import type { RenewalDeadlines } from './renewal.ts'

/**
 * What the held credential is good for:
 *
 * | state | condition | what a caller gets |
 * |---|---|---|
 * | `fresh` | before `refreshAt` | the credential |
 * | `early` | before `hardAt` | the credential, and a renewal begins in the background |
 * | `late` | before `expiresAt` | the renewed credential; the present one when that fails |
 * | `gone` | expired, refused, given up or never acquired | the renewed credential, or an error |
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
  /** The epoch in which the credential was given up last. */
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

  /** Until when it is handed out without further checks; the one comparison of the hot path. */
  get freshUntil(): number {
    return this.#freshUntil
  }

  get deadlines(): RenewalDeadlines {
    return this.#present?.deadlines ?? noDeadlines
  }

  /** The scopes that it was granted, as far as they are known. */
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

  /** Counts logouts and the end: the outcome of an acquisition of an earlier epoch is not used. */
  get epoch(): number {
    return this.#epoch
  }

  /** Whether acquisitions may start: there is no logout under way, and the manager is not closed. */
  get open(): boolean {
    return this.#phase === 'open'
  }

  /** Whether the manager is closed. */
  get closed(): boolean {
    return this.#phase === 'closed'
  }

  /** What an acquisition replaces: the credential, or what was kept of a response that was invalid. */
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

  /** The server refused the credential: it is not handed out again. */
  reject(): void {
    this.#rejected = true
    this.#freshUntil = -Infinity
  }

  /** Keeps what the issuer has replaced already, for the next acquisition. */
  recover(credential: Credential): void {
    this.#recovered = credential
  }

  /** Hands nothing out until {@link Held.resume}, and disregards acquisitions that are under way. */
  suspend(): void {
    if (this.#phase === 'open') this.#phase = 'suspended'
    this.#epoch += 1
    this.#freshUntil = -Infinity
  }

  /** Hands out again what is left. */
  resume(): void {
    if (this.#phase !== 'suspended') return
    this.#phase = 'open'
    if (!this.#rejected) this.#freshUntil = this.deadlines.refreshAt
  }

  /** Hands nothing out any more, and disregards acquisitions that are under way. */
  close(): void {
    this.#phase = 'closed'
    this.#epoch += 1
    this.#freshUntil = -Infinity
  }

  /** Whether the credential was given up since an epoch, so that what was acquired then is void. */
  gaveUpSince(epoch: number): boolean {
    return epoch < this.#gaveUpIn
  }

  /** Gives the credential up. */
  clear(): void {
    this.#gaveUpIn = this.#epoch
    this.#present = undefined
    this.#freshUntil = -Infinity
    this.#rejected = false
    this.#recovered = undefined
  }
}
