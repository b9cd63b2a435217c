/**
 * Credentials that the server refuses: when a refusal is worth a renewal.
 *
 * @module
 */
import { rejectionPause } from './renewal.ts'

/** A refusal this soon after the credential was accepted depends on the request rather than on it. */
const earlyMs = 60_000
/** So many early refusals in a row are answered with a renewal each. */
const toleratedEarly = 3

/** The series of refusals. All times are on the clock for pauses, in milliseconds. */
export class Refusals {
  readonly #clock: () => number
  readonly #alternatives: number
  #consecutive = 0
  #early = 0
  #accepted = false
  #adoptedAt = -Infinity
  #notBefore = -Infinity

  /** @param alternatives - How many different credentials the provider offers one after another. */
  constructor(clock: () => number, alternatives: number) {
    this.#clock = clock
    this.#alternatives = alternatives
  }

  /** A new credential is in use. */
  adopted(): void {
    this.#accepted = false
    this.#adoptedAt = this.#clock()
  }

  /** Whether the server accepted the present credential at least once. */
  get accepted(): boolean {
    return this.#accepted
  }

  /** The server accepted the present credential. */
  accept(): void {
    this.#accepted = true
    this.#consecutive = 0
    if (this.#early <= toleratedEarly) this.#notBefore = -Infinity
  }

  /**
   * The server refused the present credential.
   *
   * @returns Milliseconds for which further refusals are ignored, when this one is; 0: renew.
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

  /** A login or a logout ends the series. */
  clear(): void {
    this.#consecutive = 0
    this.#early = 0
    this.#notBefore = -Infinity
  }
}
