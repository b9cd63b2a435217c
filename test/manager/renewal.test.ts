import { describe, expect, test } from 'vitest'
import { backOff, deadlines, rejectionPause } from '../../src/manager/renewal.ts'

const windows = { earlyWindow: 300, hardMargin: 10, jitter: 0.3 }

/** The deadlines of a credential that was obtained at 0. */
const lived = (expiresAt: number | undefined, advice?: number, limits = windows, random = 0) =>
  deadlines({ obtainedAt: 0, expiresAt, advice }, limits, random)

describe('the renewal windows', () => {
  // Lifetime, early window and hard margin in seconds.
  test.each([
    [3, 1.5, 0.3],
    [60, 30, 6],
    [240, 48, 10],
    [300, 60, 10],
    [900, 180, 10],
    [1500, 300, 10],
    [86_400, 300, 10],
  ])('of a lifetime of %d s start %d s and %d s before expiry', (life, early, hard) => {
    const { refreshAt, hardAt, expiresAt } = lived(life * 1000)
    expect((expiresAt - refreshAt) / 1000).toBeCloseTo(early, 6)
    expect((expiresAt - hardAt) / 1000).toBeCloseTo(hard, 6)
  })

  test('vary by the jitter, and never start after the hard margin', () => {
    const late = lived(3_600_000, undefined, windows, 0.999_999)
    expect(late.expiresAt - late.refreshAt).toBeCloseTo(210_000, -1)
    const extreme = lived(60_000, undefined, { ...windows, jitter: 1 }, 0.999_999)
    expect(extreme.refreshAt).toBeLessThanOrEqual(extreme.hardAt)
  })

  test("follow the issuer's recommendation if it is plausible", () => {
    const at = (advice: number) => lived(3_600_000, advice).refreshAt
    expect(at(1_800_000)).toBe(1_800_000)
    expect(at(-1)).toBe(3_300_000)
    expect(at(3_599_000)).toBe(3_300_000)
    expect(at(Number.NaN)).toBe(3_300_000)
  })

  test("of a credential without expiry start at the issuer's recommendation, unless that is in the past", () => {
    expect(lived(undefined, 60_000)).toMatchObject({ refreshAt: 60_000, expiresAt: Infinity })
    expect(lived(undefined, 0).refreshAt).toBe(Infinity)
    expect(lived(undefined, Number.NaN).refreshAt).toBe(Infinity)
  })

  test('do not exist without an expiry time', () => {
    expect(lived(undefined)).toEqual({
      refreshAt: Infinity,
      hardAt: Infinity,
      expiresAt: Infinity,
    })
  })
})

describe('the back-off', () => {
  test.each([
    [1, 0, 250],
    [1, 1, 1000],
    [4, 1, 8000],
    [10, 1, 30_000],
    [1000, 1, 30_000],
  ])('after failure %d with the draw %d is %d ms', (attempt, random, expected) => {
    expect(backOff(attempt, random)).toBe(expected)
  })

  test('is never shorter than the server asks, up to one hour', () => {
    expect(backOff(1, 0, 20)).toBe(20_000)
    expect(backOff(1, 0, 1e9)).toBe(3_600_000)
  })
})

test('rejections pause renewals for increasing times, up to five minutes', () => {
  expect([1, 2, 3, 9, 100].map(rejectionPause)).toEqual([1000, 2000, 4000, 256_000, 300_000])
})
