/**
 * How often something has happened lately, so that no server makes it happen for ever.
 *
 * @module
 */

/** The time in which events are counted, in milliseconds. */
const windowMs = 600_000
/** How many are allowed in that time, where nothing else is said. */
const defaultLimit = 3

/** The events of the last ten minutes. All times are in milliseconds, on one clock. */
export class RateWindow {
  #times: readonly number[]

  /** @param times - When events happened before, in order. */
  constructor(times: readonly number[] = []) {
    this.#times = times
  }

  /** When the events of the last ten minutes happened, in order. A clock that was set back forgets later ones. */
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

  /** Takes the last event back. */
  undo(): void {
    this.#times = this.#times.slice(0, -1)
  }

  /** Forgets all events. */
  clear(): void {
    this.#times = []
  }
}
