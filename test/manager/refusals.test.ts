import { describe, expect, test } from 'vitest'
import { Refusals } from '../../src/manager/refusals.ts'
import { testClock } from '../support/clock.ts'

function setUp(alternatives = 1) {
  const clock = testClock(0)
  return { clock, refusals: new Refusals(clock.now, alternatives) }
}

describe('refusals', () => {
  test('of consecutive credentials lead to increasingly rare renewals', () => {
    const { clock, refusals } = setUp()
    const pauses: number[] = []
    for (let round = 0; round < 4; round += 1) {
      expect(refusals.reject()).toBe(0)
      refusals.adopted()
      pauses.push(refusals.reject())
      clock.advance(pauses.at(-1) ?? 0)
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000])
  })

  test('all lead to a renewal while the provider has further credentials', () => {
    const { refusals } = setUp(3)
    expect([refusals.reject(), refusals.reject(), refusals.reject()]).toEqual([0, 0, 0])
    expect(refusals.reject()).toBeGreaterThan(0)
  })

  test('are counted from zero after a credential was accepted', () => {
    const { refusals } = setUp()
    refusals.reject()
    refusals.adopted()
    refusals.accept()
    expect(refusals.accepted).toBe(true)
    expect(refusals.reject()).toBe(0)
  })

  test('within a minute after an acceptance depend on the request, so the fifth is ignored', () => {
    const { clock, refusals } = setUp()
    const outcomes: number[] = []
    for (let round = 0; round < 5; round += 1) {
      refusals.adopted()
      refusals.accept()
      clock.advance(500)
      outcomes.push(refusals.reject())
    }
    expect(outcomes).toEqual([0, 0, 0, 0, 500])
  })

  test('are reset by a login', () => {
    const { refusals } = setUp()
    refusals.reject()
    refusals.clear()
    expect(refusals.reject()).toBe(0)
  })
})
