import { afterEach, expect, test, vi } from 'vitest'
import { exportKeyPair, startDpop } from '../../src/oauth/dpop.ts'

const options = { algorithm: 'ES256', required: true } as const

afterEach(() => void vi.restoreAllMocks())

async function keptKey(): Promise<JsonWebKey> {
  return exportKeyPair(await startDpop(options, undefined).keyPair())
}

test('all users of a session share one key', async () => {
  const { keyPair } = startDpop(options, undefined)
  const [one, two] = await Promise.all([keyPair(), keyPair()])
  expect(one).toBe(two)
  expect(await keyPair()).toBe(one)
})

test('a key that could not be read is read again, also for those who waited meanwhile', async () => {
  const { keyPair, apply } = startDpop(options, await keptKey())
  const importKey = vi.spyOn(crypto.subtle, 'importKey').mockRejectedValueOnce(new Error('busy'))
  const starting = keyPair()
  const joining = keyPair()
  await expect(starting).rejects.toThrow('busy')
  expect(await joining).toBe(await keyPair())

  const headers = new Headers()
  const url = new URL('https://mcp.example.com/mcp')
  await apply({ url, method: 'POST', headers, now: 0 } as never, 'token')
  expect(headers.get('DPoP')).toMatch(/^ey/)
  expect(importKey).toHaveBeenCalledTimes(3)
})

test('a proof that failed for want of the key does not fail the next one', async () => {
  const { apply } = startDpop(options, await keptKey())
  vi.spyOn(crypto.subtle, 'importKey').mockRejectedValueOnce(new Error('busy'))
  const headers = new Headers()
  const request = { url: new URL('https://mcp.example.com/mcp'), method: 'POST', headers, now: 0 }
  await expect(apply(request as never, 'token')).rejects.toThrow('busy')
  await apply(request as never, 'token')
  expect(headers.get('Authorization')).toBe('DPoP token')
})
