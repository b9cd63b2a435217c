/**
 * How long to wait before another attempt.
 *
 * @module
 */

const firstDelayMs = 500
const longestDelayMs = 30_000

/** Delays that grow with each failure. */
export interface BackOff {
  /** Milliseconds before the next attempt. */
  next(): number
  /** An attempt succeeded: the next failure is the first again. */
  reset(): void
  /** The server says how many milliseconds to wait; never less is waited, and never less than half a second. */
  serverAsks(milliseconds: number): void
}

/**
 * Makes delays from half a second on, spread so that clients do not come back in one moment.
 *
 * @param random - Numbers in [0, 1).
 * @param longestMs - The longest delay. Default 30 seconds.
 */
export function backOff(random: () => number, longestMs: number = longestDelayMs): BackOff {
  let failures = 0
  let askedMs: number | undefined
  return {
    next() {
      const ownMs = Math.min(firstDelayMs * 2 ** failures, longestMs) * (0.5 + random() / 2)
      failures += 1
      // Servers end a stream on purpose, and say when to come back (MCP 2025-11-25, Transports).
      return failures === 1 && askedMs !== undefined ? askedMs : Math.max(ownMs, askedMs ?? 0)
    },
    reset() {
      failures = 0
    },
    serverAsks(milliseconds) {
      askedMs = Math.min(Math.max(milliseconds, firstDelayMs), longestMs)
    },
  }
}
