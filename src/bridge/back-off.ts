/**
 * Delays between attempts.
 *
 * @module
 */

const firstDelayMs = 500
const longestDelayMs = 30_000

/** Delays that grow with each failure. */
export interface BackOff {
  /** Returns the milliseconds before the next attempt. */
  next(): number
  /** Resets the delays after a success. */
  reset(): void
  /** Sets the least delay that the server requests, in milliseconds; at least half a second. */
  serverAsks(milliseconds: number): void
}

/**
 * Creates delays that start at half a second, with jitter, so that clients do not reconnect at the same
 * time.
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
      // Servers may close a stream on purpose and tell the client when to reconnect (MCP 2025-11-25,
      // Transports).
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
