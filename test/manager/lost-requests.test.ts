import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type CredentialProvider, type CredentialStore, TokenManager } from '../../src/index.ts'
import { transportPortOf } from '../../src/manager/token-manager.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { settle } from '../support/clock.ts'
import { testIssuer } from '../support/issuer.ts'

const resource = 'https://a.example/mcp'
const never = () => new Promise<never>(() => {})

const timers: ReturnType<typeof setTimeout>[] = []

/** Ends the request and its timers. */
function endRequest(): void {
  for (const timer of timers.splice(0)) clearTimeout(timer)
}

/** A logout whose request ends while the issuer revokes the credential `first`. */
async function lostLogout(revoke: NonNullable<CredentialProvider['revoke']>) {
  const issuer = testIssuer({ revoke })
  const manager = new TokenManager(issuer.provider, { resource, random: () => 0 })
  const acquiring = manager.credential()
  await settle()
  issuer.grant(3600)
  const first = await acquiring
  void manager.logout()
  await settle()
  endRequest()
  return { issuer, manager, first }
}

beforeEach(() => {
  vi.useFakeTimers()
  const start = setTimeout
  vi.stubGlobal('setTimeout', (callback: () => void, milliseconds: number) => {
    const timer = start(callback, milliseconds)
    timers.push(timer)
    return timer
  })
  vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('after the request of a Worker has ended', () => {
  test('its background renewal is tried again after the time limit', async () => {
    const issuer = testIssuer()
    const manager = new TokenManager(issuer.provider, { resource, random: () => 0 })
    const first = manager.credential()
    await settle()
    issuer.grant(3600)
    await first
    await vi.advanceTimersByTimeAsync(3_400_000)
    await manager.credential()
    await settle()
    expect(issuer.waiting).toBe(1)

    endRequest()
    vi.advanceTimersByTime(29_000)
    expect(await manager.credential()).toBe(await first)
    await settle()
    expect(issuer.waiting).toBe(1)
    vi.advanceTimersByTime(2000)
    expect(await manager.credential()).toBe(await first)
    await settle()
    expect(issuer.waiting).toBe(2)
  })

  test('its logout delays callers no longer than a logout may take, and restores nothing', async () => {
    const { issuer, manager, first } = await lostLogout(never)

    const waiting = manager.credential()
    await vi.advanceTimersByTimeAsync(51_000)
    expect(issuer.waiting).toBe(1)
    issuer.grant(3600)
    expect(await waiting).not.toBe(first)
  })

  test('its logout does not replace another logout', async () => {
    let revocations = 0
    const revoke: CredentialProvider['revoke'] = () => {
      revocations += 1
      return revocations === 1 ? never() : Promise.resolve(true)
    }
    const { manager } = await lostLogout(revoke)

    const second = manager.logout()
    await vi.advanceTimersByTimeAsync(51_000)
    expect(await second).toEqual({ revoked: true })
  })

  test('its store read is started again', async () => {
    const store = memoryStore()
    let reads = 0
    const slow: CredentialStore = {
      ...store,
      get: (key) => {
        reads += 1
        return reads === 1 ? never() : store.get(key)
      },
    }
    const issuer = testIssuer({ restore: async () => undefined })
    const options = { resource, store: slow, acquireTimeout: 5 }
    const port = transportPortOf(new TokenManager(issuer.provider, options))
    void port.restored(undefined)
    await settle()
    endRequest()

    const restored = port.restored(undefined)
    await vi.advanceTimersByTimeAsync(11_000)
    expect(await restored).toBe(false)
  })

  test('its close() is completed by the next one', async () => {
    const issuer = testIssuer()
    const manager = new TokenManager(issuer.provider, { resource })
    const waiting = manager.credential().catch((error: unknown) => error)
    await settle()
    await issuer.contexts[0]?.commit()
    void manager.close()
    await settle()
    endRequest()

    const closed = manager.close()
    await vi.advanceTimersByTimeAsync(25_000)
    await closed
    expect(await waiting).toMatchObject({ code: 'closed' })
  })
})
