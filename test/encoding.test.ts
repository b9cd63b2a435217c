import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { fromBase64, fromHex, nodeBuiltin, toBase64, toBase64Url, toHex } from '../src/encoding.ts'

describe.each([0, 1, 2, 3, 32, 33])('%d bytes', (size) => {
  const bytes = new Uint8Array(randomBytes(size))
  const buffer = Buffer.from(bytes)

  test('are written as Node writes them', () => {
    expect(toHex(bytes)).toBe(buffer.toString('hex'))
    expect(toBase64(bytes)).toBe(buffer.toString('base64'))
    expect(toBase64Url(bytes)).toBe(buffer.toString('base64url'))
  })

  test('come back from every form', () => {
    expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes)
    expect(fromBase64(toBase64(bytes))).toEqual(bytes)
    expect(fromBase64(toBase64Url(bytes))).toEqual(bytes)
  })
})

test('what is in another form gives nothing', () => {
  expect([fromHex('abc'), fromHex('zz'), fromBase64('a'), fromBase64('é')]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

test('a module that Node does not have is none', () => {
  expect(nodeBuiltin('node:path')).toHaveProperty('join')
  expect(nodeBuiltin('node:nothing')).toBeUndefined()
})

test('many bytes are written too', () => {
  expect(toBase64(new Uint8Array(1_000_000))).toHaveLength(1_333_336)
})
