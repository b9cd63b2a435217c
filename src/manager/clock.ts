/**
 * Two clocks: the server's, learnt from its responses, and one for pauses that never runs backwards.
 *
 * @module
 */
import { type ClockReading, clockOffset, largestOffset, smallestOffset } from '../server-date.ts'

/** What a {@link ServerClock} reports when it was corrected, or refuses to be. */
export interface ClockCorrection {
  readonly offsetMs: number
  readonly applied: boolean
}

/** The clock of the MCP server, as far as it is known. */
export class ServerClock {
  readonly #report: (correction: ClockCorrection) => void
  #offsetMs = 0

  constructor(report: (correction: ClockCorrection) => void) {
    this.#report = report
  }

  /** The server's time less this machine's, in milliseconds; 0 while they are about the same. */
  get offset(): number {
    return this.#offsetMs
  }

  /**
   * Learns from a response that refused a credential.
   *
   * @param used - The offset that the request was made with, in milliseconds.
   * @returns Whether the request was made with a wrong time, so that sending it again makes sense.
   */
  observe(reading: ClockReading, used: number): boolean {
    const offset = clockOffset(reading)
    if (offset === undefined) return false
    const applied = Math.abs(offset) <= largestOffset
    const next = applied && Math.abs(offset) >= smallestOffset ? offset : 0
    if (Math.abs(next - this.#offsetMs) >= smallestOffset || !applied) {
      this.#offsetMs = next
      this.#report({ offsetMs: offset, applied })
    }
    return Math.abs(this.#offsetMs - used) >= smallestOffset
  }
}

/**
 * Makes a clock for pauses, in milliseconds from an arbitrary start. It never runs backwards, so a wall
 * clock that is set back does not extend a pause; and it counts the time that a machine sleeps, which
 * `performance.now()` alone does not everywhere.
 *
 * @param now - The wall clock.
 * @param injected - The wall clock is a test's, so that no other clock counts.
 */
export function monotonicClock(now: () => number, injected: boolean): () => number {
  const steady = injected ? () => 0 : () => performance.now()
  let lastWall = now()
  let lastSteady = steady()
  let elapsed = 0
  // The wall clock is set by small steps all the time, and counts whole milliseconds only.
  const tolerated = 1000
  return () => {
    const wall = now()
    const ticks = steady()
    const passed = ticks - lastSteady
    const slept = wall - lastWall > passed + tolerated
    elapsed += injected || slept ? Math.max(0, wall - lastWall) : passed
    lastWall = wall
    lastSteady = ticks
    return elapsed
  }
}
