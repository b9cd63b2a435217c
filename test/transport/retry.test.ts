import { describe, expect, it } from 'vitest'
import { parseRetryAfter } from '../../src/retry-after.ts'
import { type RetryPolicy, resolveRetryPolicy, retryDelay } from '../../src/transport/retry.ts'
import { pause } from '../../src/waiting.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

describe('parseRetryAfter', () => {
  for (const [value, expected] of [
    ['120', 120],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['2026-01-01', undefined],
    ['', undefined],
  ] as const) {
    it(`reads ${JSON.stringify(value)} as ${expected}`, () => {
      expect(parseRetryAfter(value, now)).toBe(expected)
    })
  }
})

describe('retryDelay', () => {
  const policy = resolveRetryPolicy({ maxRetries: 3, backoffFactor: 2, maxRetryAfter: 30 }, 1)

  it('does not delay the first retry with a renewed credential', () => {
    expect(retryDelay(policy, 1, true, undefined)).toBe(0)
  })

  it('doubles from retry to retry', () => {
    expect([1, 2, 3].map((retry) => retryDelay(policy, retry, false, undefined))).toEqual([
      2000, 4000, 8000,
    ])
  })

  it('waits at least as long as the server asks, and returns nothing if that is too long', () => {
    expect(retryDelay(policy, 1, true, 20)).toBe(20_000)
    expect(retryDelay(policy, 1, true, 31)).toBeUndefined()
  })
})

describe('resolveRetryPolicy', () => {
  for (const [option, policy] of [
    ['retry.maxRetries', { maxRetries: -1 }],
    ['retry.maxRetries', { maxRetries: 1.5 }],
    ['retry.statusCodes', { statusCodes: [200] }],
    ['retry.backoffFactor', { backoffFactor: Number.NaN }],
    ['retry.maxRetryAfter', { maxRetryAfter: -1 }],
    ['retry.retries', { retries: 3 }],
  ] as const) {
    it(`rejects ${JSON.stringify(policy)}`, () => {
      expect(() => resolveRetryPolicy(policy as RetryPolicy, 1)).toThrow(
        expect.objectContaining({ option }),
      )
    })
  }
})

describe('pause', () => {
  it('ends with the reason of an abort', async () => {
    const controller = new AbortController()
    const waiting = pause(60_000, controller.signal)
    const reason = new Error('enough')

    controller.abort(reason)

    await expect(waiting).rejects.toBe(reason)
  })
})
