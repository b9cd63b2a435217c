/**
 * Parses the `Retry-After` header.
 *
 * @module
 */

/**
 * Returns the seconds of a `Retry-After` header; `undefined` when there is none or it is malformed.
 *
 * @see RFC 9110, section 10.2.3
 */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined
  const text = value.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text)
  // Date.parse accepts almost anything; an HTTP date begins with a day's name and ends in GMT.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000)
}
