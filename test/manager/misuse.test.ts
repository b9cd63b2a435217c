import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  type AcquireContext,
  authorizedFetch,
  bearer,
  type Credential,
  type CredentialProvider,
  type CredentialRecord,
  type CredentialStore,
  firstAvailable,
  perTenant,
  TokenManager,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { settle, testClock } from '../support/clock.ts'

const resource = 'https://mcp.example.com/mcp'
const apply = () => {}
const ok = async () => new Response('ok')

afterEach(() => void vi.useRealTimers())

/** A provider whose logins can be stored. */
function loginProvider(more: Partial<CredentialProvider> = {}) {
  const contexts: AcquireContext[] = []
  const used: (string | undefined)[] = []
  const credentialOf = (record: CredentialRecord): Credential => ({
    expiresAt: Infinity,
    record,
    apply,
  })
  const provider: CredentialProvider = {
    name: 'login',
    async acquire(context) {
      contexts.push(context)
      await context.commit()
      used.push(context.previous?.record?.data['refreshToken'] as string | undefined)
      const refreshToken = `refresh-${contexts.length}`
      return credentialOf({ version: 1, provider: 'login', data: { refreshToken } })
    },
    restore: credentialOf,
    ...more,
  }
  return { provider, contexts, used }
}

/** A memory store with one method that does not respond until it is released. */
function silentStore(method: 'get' | 'set') {
  const store = memoryStore()
  const state = { silent: false }
  const original = store[method] as (...args: unknown[]) => Promise<unknown>
  const replaced = (...args: unknown[]) =>
    state.silent ? new Promise<never>(() => {}) : original(...args)
  return { store: { ...store, [method]: replaced } as CredentialStore, state }
}

describe('a provider', () => {
  test('that salvages a credential after its acquisition has ended replaces nothing newer', async () => {
    const { provider, contexts, used } = loginProvider()
    const manager = new TokenManager(provider, { resource })
    const first = await manager.credential()
    await manager.renew()
    contexts[0]?.salvage(first)
    await manager.renew()
    expect(used).toEqual([undefined, 'refresh-1', 'refresh-2'])
  })

  test('that commits after its acquisition has ended writes nothing', async () => {
    const { provider, contexts } = loginProvider()
    const store = memoryStore()
    const manager = new TokenManager(provider, { resource, store })
    await manager.credential()
    await manager.renew()
    await expect(contexts[0]?.commit()).rejects.toThrow('has ended')
    const record = await store.get(`${resource} | default`)
    expect(record).toMatchObject({ generation: 2, data: { refreshToken: 'refresh-2' } })
    expect(record).not.toHaveProperty('pending')
  })

  test.each([Number.NaN, Infinity, 0, 1000])('with %d alternatives is refused', (alternatives) => {
    const provider = { name: 'own', alternatives, acquire: async () => ({ apply }) }
    expect(() => new TokenManager(provider, { resource })).toThrow(
      expect.objectContaining({ option: 'provider.alternatives' }),
    )
  })

  test('that recommends an immediate renewal is renewed at most once a second', async () => {
    vi.useFakeTimers()
    let acquired = 0
    const acquire = async () => {
      acquired += 1
      return { apply, expiresAt: Date.now() + 3_600_000, refreshAt: Date.now() + 2 }
    }
    const options = { resource, renewal: { keepFresh: true } }
    const manager = new TokenManager({ name: 'own', acquire }, options)
    await manager.credential()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(acquired).toBeLessThanOrEqual(11)
    await manager.close()
  })

  test('whose `refused` returns a rejecting promise leaves no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    const refused = (async () => {
      throw new Error('SECRET')
    }) as never
    const provider = { name: 'own', acquire: async () => ({ apply }), refused }
    const send = authorizedFetch(provider, { resource, fetch: ok })
    expect((await send(resource)).status).toBe(200)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('whose `refused` is asynchronous refuses nothing within firstAvailable()', async () => {
    let sent = 0
    const fetch = async () => {
      sent += 1
      return new Response('ok')
    }
    const refused = (async () => false) as never
    const provider = { name: 'own', acquire: async () => ({ apply }), refused }
    const send = authorizedFetch(firstAvailable(provider, bearer('t')), { resource, fetch })
    await send(resource, { method: 'POST', body: '{}' })
    expect(sent).toBe(1)
  })

  test('whose credential throws when its members are read causes an error that does not quote it', async () => {
    const acquire = async () => ({
      apply,
      get scope(): string {
        throw new Error('SECRET')
      },
    })
    const manager = new TokenManager({ name: 'own', acquire }, { resource })
    const error = await manager.credential().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'acquire_failed' })
    expect(String(error)).not.toContain('SECRET')
  })
})

describe('a logout that discards the login of the options', () => {
  test("whose stored login cannot be restored fails with an error without the provider's text", async () => {
    const { provider } = loginProvider()
    const store = memoryStore()
    await new TokenManager(provider, { resource, store }).credential()
    const restore = () => {
      throw new TypeError('Unexpected token in SECRET')
    }
    const manager = new TokenManager({ ...provider, restore }, { resource, store })
    const error = await manager.logout().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'CredentialError' })
    expect(String(error)).not.toContain('SECRET')
  })

  test('and the close() after it revoke tokens that arrive within five seconds', async () => {
    vi.useFakeTimers()
    const revoked: unknown[] = []
    let answer: (credential: Credential) => void = () => {}
    const { provider } = loginProvider({
      async acquire(context) {
        if (context.reason === 'missing') return { apply }
        await context.commit()
        return new Promise<Credential>((resolve) => {
          answer = resolve
        })
      },
      async revoke(credential) {
        revoked.push(credential)
        return true
      },
    })
    const manager = new TokenManager(provider, { resource })
    await manager.credential()
    const renewal = manager.renew().catch(() => {})
    await settle()
    const out = manager.logout()
    await vi.advanceTimersByTimeAsync(5000)
    expect(await out).toEqual({ revoked: true })
    const closing = manager.close()
    await vi.advanceTimersByTimeAsync(1000)
    const late = { apply }
    answer(late)
    await vi.advanceTimersByTimeAsync(10_000)
    await Promise.all([closing, renewal])
    expect(revoked).toContain(late)
  })
})

describe('many tenants', () => {
  test('above the limit at the same time all receive responses, and the surplus is closed', async () => {
    const provider = perTenant(
      ({ url }) => url.searchParams.get('t') ?? '',
      (name) => bearer(async () => name),
      { maxTenants: 10 },
    )
    const closed: string[] = []
    const send = authorizedFetch(provider, {
      resource,
      fetch: ok,
      onEvent: ({ type, tenant }) => {
        if (type === 'closed') closed.push(String(tenant))
      },
    })
    const requests = Array.from({ length: 60 }, (_, index) => send(`${resource}?t=tenant-${index}`))
    expect((await Promise.all(requests)).map(({ status }) => status)).toEqual(Array(60).fill(200))
    await settle()
    expect(closed).toHaveLength(50)
    await send.close()
  })

  test('whose selector closes the fetch during a request send nothing', async () => {
    const sent: unknown[] = []
    const provider = { name: 'own', acquire: async () => ({ apply }) }
    const select = () => {
      void send.close()
      return { key: 'a', provider }
    }
    const fetch = async (url: unknown) => {
      sent.push(url)
      return new Response('ok')
    }
    const send = authorizedFetch({ name: 'closing', select }, { resource, fetch })
    await expect(send(resource)).rejects.toMatchObject({ code: 'closed' })
    expect(sent).toEqual([])
  })
})

describe('a logout', () => {
  test('followed by close() rejects waiting callers with `closed`', async () => {
    const send = authorizedFetch(bearer('t'), { resource, fetch: ok })
    await send(resource)
    const out = async () => send.logout()
    const leaving = (async () => {
      await out()
      await send.close()
    })()
    const waiting = send(resource).then(
      () => undefined,
      (error: unknown) => error,
    )
    await leaving
    expect([undefined, 'closed']).toContain(
      ((await waiting) as { code?: string } | undefined)?.code,
    )
  })
})

describe('a store that does not respond', () => {
  test('once does not block the first request and all later ones', async () => {
    vi.useFakeTimers()
    const { store, state } = silentStore('get')
    const { provider } = loginProvider({ discovers: true })
    const options = { resource, store, fetch: ok, acquireTimeout: 1 }
    const send = authorizedFetch(provider, options)
    state.silent = true
    const first = send(resource).then(
      ({ status }) => status,
      () => 'failed',
    )
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await first).toBeDefined()
    state.silent = false
    const second = send(resource)
    await vi.advanceTimersByTimeAsync(60_000)
    expect((await second).status).toBe(200)
    await send.close()
  })

  test('does not withhold a rotated login, which is written later', async () => {
    vi.useFakeTimers()
    const { now } = testClock()
    const { store, state } = silentStore('set')
    const { provider, used } = loginProvider({
      async acquire(context) {
        await context.commit()
        used.push(context.previous?.record?.data['refreshToken'] as string | undefined)
        state.silent = true
        const data = { refreshToken: `refresh-${used.length}` }
        return { apply, record: { version: 1, provider: 'login', data } }
      },
    })
    const events: string[] = []
    const onEvent = ({ type }: { type: string }) => void events.push(type)
    const manager = new TokenManager(provider, { resource, store, now, onEvent })
    const wanted = manager.credential()
    await vi.advanceTimersByTimeAsync(5000)
    expect((await wanted).record?.data).toEqual({ refreshToken: 'refresh-1' })
    expect(events).toContain('store_failed')
    state.silent = false
    await manager.close()
    expect((await store.get(`${resource} | default`))?.data).toEqual({ refreshToken: 'refresh-1' })
  })

  test('twice keeps the rotated login although the clock was set back meanwhile', async () => {
    const clock = testClock()
    const store = memoryStore()
    const { set } = store
    let isFull = false
    store.set = (key, record) => (isFull ? Promise.reject(new Error('full')) : set(key, record))
    const { provider, used } = loginProvider({
      async acquire(context) {
        await context.commit()
        used.push(context.previous?.record?.data['refreshToken'] as string | undefined)
        isFull = used.length === 2
        const data = { refreshToken: `refresh-${used.length}` }
        const record = { version: 1, provider: 'login', data, obtainedAt: clock.now() } as const
        return { apply, record }
      },
    })
    const manager = new TokenManager(provider, { resource, store, now: clock.now })
    await manager.credential()
    clock.advance(-6 * 3_600_000)
    await manager.renew()
    clock.advance(1000)
    await expect(manager.renew()).rejects.toMatchObject({ name: 'StoreError' })
    isFull = false
    clock.advance(60_000)
    await manager.renew()
    expect(used).toEqual([undefined, 'refresh-1', 'refresh-2'])
  })
})
