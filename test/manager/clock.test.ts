import { expect, test } from 'vitest'
import { monotonicClock } from '../../src/manager/clock.ts'
import { clockOffset } from '../../src/server-date.ts'

const at = Date.UTC(2026, 0, 1, 12)
const reading = (more: object = {}) => ({
  date: new Date(at).toUTCString(),
  age: null,
  sentAt: at,
  receivedAt: at,
  ...more,
})

test('the offset is measured at the middle of the round trip, plus half a second for the truncated date', () => {
  expect(clockOffset(reading())).toBe(500)
  expect(clockOffset(reading({ sentAt: at - 1000, receivedAt: at + 1000 }))).toBe(500)
  expect(clockOffset(reading({ sentAt: at - 60_000, receivedAt: at - 60_000 }))).toBe(60_500)
})

test.each([
  ['there is no date', { date: null }],
  ['the date cannot be read', { date: 'yesterday' }],
  ['the response comes from a cache', { age: '3' }],
  ['the round trip took too long', { sentAt: at - 30_000 }],
])('no offset is measured when %s', (_what, more) => {
  expect(clockOffset(reading(more))).toBeUndefined()
})

test('the clock for pauses keeps running when the system time is set back', () => {
  let wall = 1_000_000
  const elapsed = monotonicClock(() => wall, true)
  const start = elapsed()
  wall += 5000
  expect(elapsed() - start).toBe(5000)
  wall -= 3_600_000
  expect(elapsed() - start).toBe(5000)
  wall += 1000
  expect(elapsed() - start).toBe(6000)
})

test('without an injected clock, pauses end although the system time does not advance', async () => {
  const elapsed = monotonicClock(() => 0, false)
  const start = elapsed()
  while (elapsed() - start < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(elapsed() - start).toBeGreaterThanOrEqual(2)
})
