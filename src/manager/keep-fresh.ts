/**
 * Renewal while nobody asks.
 *
 * @module
 */

/** The longest delay of `setTimeout`; longer ones fire at once. */
const longestTimerMs = 2 ** 31 - 1

/** One timer, which keeps no process alive. */
export class KeepFresh {
  readonly #now: () => number
  readonly #renew: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(now: () => number, renew: () => void) {
    this.#now = now
    this.#renew = renew
  }

  /** Sets the timer, in place of the one that was set before. An infinite time means: never. */
  arm(due: number): void {
    this.stop()
    if (!Number.isFinite(due)) return
    const delay = Math.min(Math.max(0, due - this.#now()), longestTimerMs)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.#now() < due) this.arm(due)
      else this.#renew()
    }, delay)
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
