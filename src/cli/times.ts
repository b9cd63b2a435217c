/**
 * Formats durations and times.
 *
 * @module
 */

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

const units: readonly (readonly [milliseconds: number, name: string])[] = [
  [day, 'day'],
  [hour, 'hour'],
  [minute, 'minute'],
  [second, 'second'],
]

/** Formats a duration in its largest unit, such as `3 days`; the minimum is one second. */
export function formatDuration(milliseconds: number): string {
  const span = Math.max(Math.abs(milliseconds), second)
  const [length, name] = units.find(([unit]) => span >= unit) ?? [second, 'second']
  const count = Math.floor(span / length)
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

/** Formats an expiry relative to now: `in 59 minutes`, `expired 2 hours ago`, or `not known`. */
export function formatExpiry(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return 'not known'
  const words = formatDuration(expiresAt - now)
  return expiresAt > now ? `in ${words}` : `expired ${words} ago`
}

/** Formats a time in the local time zone, with the date unless it is today. */
export function formatTime(time: number, now: number): string {
  const at = new Date(time)
  const pad = (number: number) => String(number).padStart(2, '0')
  const clock = `${pad(at.getHours())}:${pad(at.getMinutes())}`
  if (at.toDateString() === new Date(now).toDateString()) return clock
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${clock}`
}
