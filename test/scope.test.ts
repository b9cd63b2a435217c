import { expect, test } from 'vitest'
import { scopeCovers, scopeUnion } from '../src/scope.ts'

test.each([
  [undefined, 'a b', 'a b'],
  ['a b', 'b c', 'a b c'],
  ['a  b', ' c ', 'a b c'],
  ['a', 'a', 'a'],
  ['A', 'a', 'A a'],
])('%j and %j are %j', (left, right, expected) => {
  expect(scopeUnion(left, right)).toBe(expected)
})

test.each([
  ['a b c', 'c a', true],
  ['a', 'a b', false],
  [undefined, 'a', false],
  ['ab', 'a', false],
  ['a', '', true],
])('%j covers %j: %j', (granted, wanted, expected) => {
  expect(scopeCovers(granted, wanted)).toBe(expected)
})

test('what is no text is no scope', () => {
  const list = ['a'] as unknown as string
  expect(scopeUnion(list, 'b')).toBe('b')
  expect(scopeCovers(list, 'a')).toBe(false)
})
