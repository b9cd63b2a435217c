import { describe, expect, test } from 'vitest'
import { Held } from '../../src/manager/held.ts'

const credential = { apply: () => {} }
const limits = { refreshAt: 100, hardAt: 200, expiresAt: 300 }

function holding() {
  const held = new Held()
  held.adopt(credential, limits, undefined)
  return held
}

describe('the current credential', () => {
  test.each([
    [0, 'fresh', 300],
    [99, 'fresh', 201],
    [100, 'early', 200],
    [200, 'late', 100],
    [299, 'late', 1],
    [300, 'gone', 0],
  ] as const)('at %d is %s', (now, state, usableFor) => {
    expect([holding().state(now), holding().usableFor(now)]).toEqual([state, usableFor])
  })

  test('is gone after the server refused it', () => {
    const held = holding()
    held.reject()
    expect([held.state(0), held.freshUntil]).toEqual(['gone', -Infinity])
  })

  test('is not returned while it is suspended, and is returned afterwards', () => {
    const held = holding()
    held.suspend()
    expect([held.open, held.freshUntil]).toEqual([false, -Infinity])
    held.resume()
    expect([held.open, held.freshUntil]).toEqual([true, 100])
  })

  test('is not returned after the end, even if it is adopted later', () => {
    const held = holding()
    held.close()
    held.adopt(credential, limits, undefined)
    held.resume()
    expect([held.closed, held.open, held.freshUntil]).toEqual([true, false, -Infinity])
  })

  test('starts a new epoch at each suspension and at the end', () => {
    const held = holding()
    held.suspend()
    held.resume()
    held.close()
    expect(held.epoch).toBe(2)
  })

  test('is replaced in the next acquisition by the refresh token recovered from an invalid response', () => {
    const held = holding()
    const rest = { apply: () => {} }
    held.recover(rest)
    expect([held.credential, held.previous]).toEqual([credential, rest])
    held.adopt(credential, limits, 'read')
    expect([held.previous, held.scope, held.generation]).toEqual([credential, 'read', 2])
  })
})
