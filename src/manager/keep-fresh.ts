/**
 * Renewal without callers.
 *
 * @module
 */

/** The longest delay of `setTimeout`; longer ones fire at once. */
const longestTimerMs = 2 ** 31 - 1

/** Limits how often very short-lived credentials are renewed. */
const shortestPauseMs = 1000

/** One timer, which does not keep the process running. */
export class KeepFresh {
  readonly #now: () => number
  readonly #renew: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  /** On the clock of `performance`. */
  #renewedAt = -Infinity

  constructor(now: () => number, renew: () => void) {
    this.#now = now
    this.#renew = renew
  }

  /** Sets the timer, replacing the earlier one. An infinite time means never. */
  arm(due: number): void {
    this.stop()
    if (!Number.isFinite(due)) return
    const rest = this.#renewedAt + shortestPauseMs - performance.now()
    const delay = Math.min(Math.max(0, rest, due - this.#now()), longestTimerMs)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#now() < due) return this.arm(due)
      this.#renewedAt = performance.now()
      this.#renew()
    }, delay)
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
