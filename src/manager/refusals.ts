/**
 * Credentials that the server refuses, and when a refusal leads to a renewal.
 *
 * @module
 */
import { rejectionPause } from './renewal.ts'

/** A refusal this soon after an acceptance is caused by the request rather than by the credential. */
const earlyMs = 60_000
/** The number of consecutive early refusals that each lead to a renewal. */
const toleratedEarly = 3

/** The series of refusals. Times are in milliseconds, on the monotonic clock. */
export class Refusals {
  readonly #clock: () => number
  readonly #alternatives: number
  #consecutive = 0
  #early = 0
  #accepted = false
  #adoptedAt = -Infinity
  #notBefore = -Infinity

  /** @param alternatives - How many different credentials the provider can offer, one after another. */
  constructor(clock: () => number, alternatives: number) {
    this.#clock = clock
    this.#alternatives = alternatives
  }

  /** Records that a new credential is in use. */
  adopted(): void {
    this.#accepted = false
    this.#adoptedAt = this.#clock()
  }

  /** Whether the server has accepted the current credential. */
  get accepted(): boolean {
    return this.#accepted
  }

  /** Records that the server accepted the current credential. */
  accept(): void {
    this.#accepted = true
    this.#consecutive = 0
    if (this.#early <= toleratedEarly) this.#notBefore = -Infinity
  }

  /**
   * Records that the server refused the current credential.
   *
   * @returns Milliseconds for which refusals are ignored, this one included; 0: renew.
   */
  reject(): number {
    const now = this.#clock()
    if (now < this.#notBefore) return this.#notBefore - now
    this.#consecutive += 1
    if (this.#accepted) this.#early = now - this.#adoptedAt < earlyMs ? this.#early + 1 : 0
    const useless = Math.max(
      this.#consecutive - this.#alternatives + 1,
      this.#early - toleratedEarly,
    )
    this.#notBefore = useless > 0 ? now + rejectionPause(useless) : now
    return 0
  }

  /** Ends the series, after a login or a logout. */
  clear(): void {
    this.#consecutive = 0
    this.#early = 0
    this.#notBefore = -Infinity
  }
}
