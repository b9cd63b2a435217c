/**
 * Two clocks: the server's, estimated from its responses, and a monotonic one for pauses.
 *
 * @module
 */
import { type ClockReading, clockOffset, largestOffset, smallestOffset } from '../server-date.ts'

/** What a {@link ServerClock} reports when it applies or refuses a correction. */
export interface ClockCorrection {
  readonly offsetMs: number
  readonly applied: boolean
}

/** The clock of the MCP server, estimated from its responses. */
export class ServerClock {
  readonly #report: (correction: ClockCorrection) => void
  #offsetMs = 0

  constructor(report: (correction: ClockCorrection) => void) {
    this.#report = report
  }

  /** The server's time minus this machine's, in milliseconds; 0 while they are about the same. */
  get offset(): number {
    return this.#offsetMs
  }

  /**
   * Updates the offset from a response that refused a credential.
   *
   * @param used - The offset that the request was made with, in milliseconds.
   * @returns Whether the request was made with a wrong time, so that it should be sent again.
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
 * Makes a clock for pauses, in milliseconds from an arbitrary start. It never runs backwards, so setting the
 * wall clock back does not extend a pause. It includes the time that a machine sleeps, which
 * `performance.now()` alone does not on every platform.
 *
 * @param now - The wall clock.
 * @param injected - Whether the wall clock was injected, so that no other clock is used.
 */
export function monotonicClock(now: () => number, injected: boolean): () => number {
  const steady = injected ? () => 0 : () => performance.now()
  let lastWall = now()
  let lastSteady = steady()
  let elapsed = 0
  // The wall clock is continually adjusted by small steps, and has a resolution of one millisecond.
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
