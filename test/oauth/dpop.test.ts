import { afterEach, expect, test, vi } from 'vitest'
import { startDpop } from '../../src/oauth/dpop.ts'
import { generateKey, importKey } from '../../src/oauth/dpop-key.ts'

const start = (kept?: JsonWebKey) =>
  startDpop(true, 'ES256', () => (kept === undefined ? generateKey('ES256') : importKey(kept)))

afterEach(() => void vi.restoreAllMocks())

async function keptKey(): Promise<JsonWebKey> {
  return (await start().key()).stored
}

test('all callers of a session share one key', async () => {
  const { key } = start()
  const [one, two] = await Promise.all([key(), key()])
  expect(one).toBe(two)
  expect(await key()).toBe(one)
})

test('a key that could not be read is read again, also for waiting callers', async () => {
  const { key, apply } = start(await keptKey())
  const importKey = vi.spyOn(crypto.subtle, 'importKey').mockRejectedValueOnce(new Error('busy'))
  const starting = key()
  const joining = key()
  await expect(starting).rejects.toThrow('busy')
  expect(await joining).toBe(await key())

  const headers = new Headers()
  const url = new URL('https://mcp.example.com/mcp')
  await apply({ url, method: 'POST', headers, now: 0 } as never, 'token')
  expect(headers.get('DPoP')).toMatch(/^ey/)
  expect(importKey).toHaveBeenCalledTimes(2)
})

test('a proof that failed because of the key does not affect the next one', async () => {
  const { apply } = start(await keptKey())
  vi.spyOn(crypto.subtle, 'importKey').mockRejectedValueOnce(new Error('busy'))
  const headers = new Headers()
  const request = { url: new URL('https://mcp.example.com/mcp'), method: 'POST', headers, now: 0 }
  await expect(apply(request as never, 'token')).rejects.toThrow('busy')
  await apply(request as never, 'token')
  expect(headers.get('Authorization')).toBe('DPoP token')
})
