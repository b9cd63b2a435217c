import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { bind, openAt, readBound } from '../../src/oauth/bound-values.ts'

const honest = 'https://login.example.com'
const token = bind('refresh token', 'canary', honest)

test('a bound value is returned only for its own authorization server', () => {
  expect(openAt(token, honest)).toBe('canary')
  expect(openAt(undefined, honest)).toBeUndefined()
  for (const other of ['https://login.example.com/', 'https://evil.example', '']) {
    expect(() => openAt(token, other)).toThrow(
      expect.objectContaining({
        code: 'wrong_issuer',
        message: expect.not.stringMatching('canary'),
      }),
    )
  }
})

test('a secret stays bound when it is read from its source', async () => {
  const secret = bind('client secret', async () => 'canary', honest)
  const read = await readBound('x.clientSecret', secret, new AbortController().signal)
  expect(openAt(read, honest)).toBe('canary')
  expect(() => openAt(read, 'https://evil.example')).toThrow('client secret')
})

test('a bound value is not visible when it is printed', () => {
  const shown = [
    inspect(token, { showHidden: true, depth: 9 }),
    JSON.stringify({ token }),
    `${token}`,
  ]
  expect(shown.join()).not.toContain('canary')
})

test('a bound value is compared without being revealed', () => {
  expect(token.equals('canary')).toBe(true)
  expect(token.equals(bind('refresh token', 'canary', honest))).toBe(true)
  expect(token.equals(bind('refresh token', 'canary', 'https://evil.example'))).toBe(false)
})
