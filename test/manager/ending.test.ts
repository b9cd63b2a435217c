import { expect, test, vi } from 'vitest'
import { all, type CredentialProvider, TokenManager } from '../../src/index.ts'
import { transportPortOf } from '../../src/manager/token-manager.ts'
import { deferred, settle, testClock } from '../support/clock.ts'
import { testIssuer } from '../support/issuer.ts'

test('a renewal that ends after close() makes no credential available', async () => {
  const issuer = testIssuer()
  const { now } = testClock()
  const manager = new TokenManager(issuer.provider, { resource: 'https://a.example/mcp', now })
  const waiting = manager.credential()
  await settle()
  await issuer.contexts[0]?.commit()
  const closing = manager.close()
  issuer.grant(3600)
  await waiting
  await closing
  expect(manager.current()).toBeUndefined()
  await expect(manager.credential()).rejects.toMatchObject({ code: 'closed' })
})

test('logout() ends a running step-up', async () => {
  const issuer = testIssuer({ scoped: true })
  const { now } = testClock()
  const manager = new TokenManager(issuer.provider, { resource: 'https://a.example/mcp', now })
  const first = manager.credential()
  await settle()
  issuer.grant(3600)
  const noOptions = { challenges: [], signal: undefined }
  const step = transportPortOf(manager)
    .stepUp(await first, 'admin', noOptions)
    .catch(() => {})
  await settle()
  const out = manager.logout()
  await settle()
  if (issuer.waiting > 0) issuer.grant(3600)
  await out
  await step
  await settle()
  expect(manager.current()).toBeUndefined()
})

test('callers during logout() wait, and receive nothing that was discarded', async () => {
  const revoked = deferred<boolean>()
  const issuer = testIssuer({ revoke: () => revoked.promise })
  const clock = testClock()
  const options = { resource: 'https://a.example/mcp', now: clock.now, random: () => 0 }
  const manager = new TokenManager(issuer.provider, options)
  const first = manager.credential()
  await settle()
  issuer.grant(3600)
  await first
  const out = manager.logout()
  await settle()
  const late = manager.credential()
  await settle()
  expect(issuer.waiting).toBe(0)
  revoked.resolve(true)
  await out
  await settle()
  issuer.grant(3600)
  expect(await late).not.toBe(await first)
})

test('in all(), a part that throws synchronously leaves no unhandled rejection of another part', async () => {
  const seen: unknown[] = []
  const note = (reason: unknown) => void seen.push(reason)
  process.on('unhandledRejection', note)
  const before = process.listeners('unhandledRejection').filter((l) => l !== note)
  for (const l of before) process.off('unhandledRejection', l)
  const slow: CredentialProvider = {
    name: 'slow',
    acquire: () => new Promise((_r, reject) => setTimeout(() => reject(new Error('later')), 10)),
  }
  const sync: CredentialProvider = {
    name: 'sync',
    acquire() {
      throw new Error('at once')
    },
  }
  const manager = new TokenManager(all(slow, sync), { resource: 'https://a.example/mcp' })
  await manager.credential().catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 60))
  process.off('unhandledRejection', note)
  for (const l of before) process.on('unhandledRejection', l)
  expect(seen).toEqual([])
})

test('a revocation that never settles is abandoned after ten seconds', async () => {
  vi.useFakeTimers()
  try {
    const signals: AbortSignal[] = []
    const issuer = testIssuer({
      revoke(_credential, { signal }) {
        signals.push(signal)
        return new Promise(() => {})
      },
    })
    const manager = new TokenManager(issuer.provider, { resource: 'https://a.example/mcp' })
    const first = manager.credential()
    await settle()
    issuer.grant(3600)
    await first
    const out = manager.logout()
    await vi.advanceTimersByTimeAsync(10_000)
    const reason = 'issuer: the issuer did not respond within 10 s.'
    expect(await out).toEqual({ revoked: false, reason })
    expect([signals[0]?.aborted, vi.getTimerCount()]).toEqual([true, 0])
  } finally {
    vi.useRealTimers()
  }
})

test('logout({ registration: true }) in a listener of another such logout leaves nothing for the next logout', async () => {
  const forget = vi.fn(async () => true)
  const provider = { name: 'forgetful', acquire: async () => ({ apply() {} }), forget }
  let again: Promise<unknown> | undefined
  const manager = new TokenManager(provider, {
    resource: 'https://a.example/mcp',
    onEvent({ type }) {
      if (type === 'logged_out') again ??= manager.logout({ registration: true })
    },
  })
  expect(await manager.logout({ registration: true })).toMatchObject({ registrationDropped: true })
  expect(await again).toMatchObject({ registrationDropped: true })
  const before = forget.mock.calls.length
  await manager.logout()
  expect(forget).toHaveBeenCalledTimes(before)
})
