/**
 * Counts recent events, so that no server can cause them without limit.
 *
 * @module
 */

/** The time in which events are counted, in milliseconds. */
const windowMs = 600_000
/** How many are allowed in that time by default. */
const defaultLimit = 3

/** The events of the last ten minutes. All times are in milliseconds, on one clock. */
export class RateWindow {
  #times: readonly number[]

  /** @param times - When events happened before, in order. */
  constructor(times: readonly number[] = []) {
    this.#times = times
  }

  /**
   * When the events of the last ten minutes happened, in order. After a clock is set back, later ones are
   * dropped.
   */
  recent(now: number): readonly number[] {
    return this.#times.filter((time) => Math.abs(now - time) < windowMs)
  }

  /** Milliseconds until a further event is allowed; 0: now. */
  pauseMs(now: number, limit: number = defaultLimit): number {
    const recent = this.recent(now)
    const oldest = recent.at(-limit)
    return oldest === undefined ? 0 : Math.max(1, oldest + windowMs - now)
  }

  /** Whether as many events have happened as are allowed. */
  isFull(now: number, limit: number = defaultLimit): boolean {
    return this.pauseMs(now, limit) > 0
  }

  /** Counts an event. */
  add(now: number): void {
    this.#times = [...this.recent(now), now]
  }

  /** Removes the last event. */
  undo(): void {
    this.#times = this.#times.slice(0, -1)
  }

  /** Removes all events. */
  clear(): void {
    this.#times = []
  }
}
