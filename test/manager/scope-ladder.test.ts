import { describe, expect, test } from 'vitest'
import { ScopeLadder } from '../../src/manager/scope-ladder.ts'
import { testClock } from '../support/clock.ts'

function setUp() {
  const clock = testClock(0)
  return { clock, scopes: new ScopeLadder(clock.now) }
}

describe('step-ups', () => {
  test('request the union of the current scopes, the scopes granted before and the scopes of the challenge', () => {
    const { scopes } = setUp()
    scopes.begin()
    scopes.granted('read write', undefined)
    expect(scopes.plan('read', 'admin')).toBe('read write admin')
    expect(scopes.scope).toBe('read write')
  })

  test('are made at most three times in ten minutes, whatever scopes the server names', () => {
    const { clock, scopes } = setUp()
    for (const name of ['a', 'b', 'c']) {
      expect(scopes.plan('read', name)).toBe(`read ${name}`)
      scopes.begin()
    }
    expect(scopes.plan('read', 'd')).toBeUndefined()
    clock.advance(600_000)
    expect(scopes.plan('read', 'd')).toBe('read d')
  })

  test('remember only granted scopes', () => {
    const { scopes } = setUp()
    scopes.begin()
    scopes.granted('read admin', 'read')
    expect(scopes.scope).toBe('read')
    expect(scopes.plan('read', 'write')).toBe('read write')
  })

  test('do not request refused or missing scopes again for ten minutes', () => {
    const { clock, scopes } = setUp()
    scopes.begin()
    scopes.refused('read admin')
    scopes.begin()
    scopes.granted('read write', 'read')
    expect(scopes.plan('read', 'admin')).toBeUndefined()
    expect(scopes.plan('read', 'write')).toBeUndefined()
    clock.advance(600_000)
    expect(scopes.plan('read', 'admin')).toBe('read admin')
  })

  test('may request a granted scope again if it is missing since', () => {
    const { scopes } = setUp()
    scopes.begin()
    scopes.granted('read write', 'read write')
    expect(scopes.plan('read', 'write')).toBe('read write')
  })

  test('do not request a granted and current scope again within ten minutes', () => {
    const { clock, scopes } = setUp()
    scopes.begin()
    scopes.granted('read write', undefined)
    expect(scopes.plan('read write', 'write')).toBeUndefined()
    clock.advance(600_000)
    expect(scopes.plan('read write', 'write')).toBe('read write')
  })

  test.each([
    ['nothing', ' '],
    ['thousands of characters', 'x'.repeat(2001)],
    ['characters that no scope has', 'read "admin"'],
    ['control characters', 'read\u0007'],
  ])('are not made for a challenge that names %s', (_what, named) => {
    expect(setUp().scopes.plan('read', named)).toBeUndefined()
  })

  test('may be made again after a login, and start from nothing after a logout', () => {
    const { scopes } = setUp()
    for (let attempt = 0; attempt < 3; attempt += 1) scopes.begin()
    scopes.granted('read write', undefined)
    scopes.allowRetry()
    expect(scopes.plan('read', 'admin')).toBe('read write admin')
    scopes.clear()
    expect([scopes.scope, scopes.plan('read', 'admin')]).toEqual([undefined, 'read admin'])
  })
})
