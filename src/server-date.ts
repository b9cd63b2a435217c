/**
 * Estimates the clock of a server from the `Date` header of a response.
 *
 * @module
 */

/** The part of a response that dates its server's clock. */
export interface ClockReading {
  /** The `Date` header (RFC 9110, section 6.6.1). */
  readonly date: string | null
  /** The `Age` header: the response comes from a cache, so its date says nothing. */
  readonly age: string | null
  /** When the request was sent, in milliseconds since the epoch. */
  readonly sentAt: number
  /** When the response arrived, in milliseconds since the epoch. */
  readonly receivedAt: number
}

/** An offset below this, in milliseconds, is caused by the network and by the date's whole seconds. */
export const smallestOffset = 30_000

/** A clock with a larger offset, in milliseconds, is wrong, which a correction would hide. */
export const largestOffset: number = 24 * 3_600_000

/**
 * Returns the server's time minus this machine's, in milliseconds; `undefined` when the response does not show it.
 */
export function clockOffset({ date, age, sentAt, receivedAt }: ClockReading): number | undefined {
  if (date === null || age !== null || receivedAt - sentAt >= 30_000) return undefined
  const server = Date.parse(date)
  if (Number.isNaN(server)) return undefined
  // The date is cut to the second, so half a second is added on average.
  return Math.round(server + 500 - (sentAt + receivedAt) / 2)
}
