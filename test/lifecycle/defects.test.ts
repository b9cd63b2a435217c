import { afterEach, describe, expect, test } from 'vitest'

import {
  closeScenes,
  createScene,
  grantOf,
  outcome,
  restore,
  type Scene,
  slowStore,
  token,
} from './scene.ts'
import { memoryStore } from './subject.ts'

afterEach(closeScenes)

const unauthorized = () => new Response('', { status: 401 })

describe('a single-use grant', () => {
  test('is not sent when its caller has left before, and so not twice', async () => {
    const scene: Scene = createScene({
      form: 'manager',
      async acquire(context, number) {
        const grant = grantOf(context)
        if (grant === undefined) return token(context, 'token-1', 60)
        if (number === 2) await scene.time.sleep(1000)
        await context.commit()
        scene.redeemed.push(grant)
        await scene.time.sleep(2000)
        return token(context, `token-${number}`)
      },
    })
    await scene.subject.credential?.({})
    await scene.time.advance(61_000)
    const caller = new AbortController()
    const first = outcome(scene.subject.credential?.({ signal: caller.signal }) ?? scene.request())
    await scene.time.advance(500)
    caller.abort()
    const second = outcome(scene.subject.credential?.({}) ?? scene.request())
    await scene.time.advance(10_000)
    expect(first.state).toBe('rejected')
    expect(second.state).toBe('fulfilled')
    expect(scene.redeemed).toEqual(['token-1'])
  })

  test('that was sent is not given up for the time limit, and its answer counts', async () => {
    const scene: Scene = createScene({
      acquireTimeout: 5,
      async acquire(context, number) {
        const grant = grantOf(context)
        if (grant === undefined) return token(context, 'token-1', 60)
        await context.commit()
        scene.redeemed.push(grant)
        const abandoned = new Promise<never>((_resolve, reject) => {
          context.signal.addEventListener('abort', () => reject(context.signal.reason))
        })
        await Promise.race([scene.time.sleep(8000), abandoned])
        return token(context, `token-${number}`)
      },
    })
    await scene.request()
    await scene.time.advance(61_000)
    const waiting = outcome(scene.request())
    await scene.time.advance(10_000)
    expect(waiting.state).not.toBe('open')
    expect(scene.contexts[1]?.signal.aborted).toBe(false)
    expect((await scene.request()).status).toBe(200)
    expect(scene.sent.at(-1)).toBe('token-2')
    expect(scene.redeemed).toEqual(['token-1'])
  })
})

describe('an answer that comes while the process is stopped', () => {
  test.each([true, false])('is not lost to the time limit (grant sent: %s)', async (sends) => {
    const scene: Scene = createScene({
      async acquire(context) {
        if (sends) await context.commit()
        await scene.time.sleep(1000)
        return token(context, 'token-1')
      },
    })
    const waiting = outcome(scene.request())
    await scene.time.advance(500)
    await scene.time.freeze(45_000)
    await scene.time.advance(2000)
    expect(waiting.state).toBe('fulfilled')
    expect(scene.contexts).toHaveLength(1)
  })
})

describe('nobody renews', () => {
  test('for a tenant that was evicted', async () => {
    const asked: string[] = []
    const scene = createScene({
      form: 'tenants',
      keepFresh: true,
      async acquire(context, number, tenant) {
        asked.push(tenant)
        return token(context, `token-${number}`)
      },
    })
    await scene.request()
    scene.tenant = 'b'
    await scene.request()
    await scene.time.advance(4 * 3_600_000)
    expect(asked.filter((tenant) => tenant === 'a')).toHaveLength(1)
    expect(asked.filter((tenant) => tenant === 'b').length).toBeGreaterThan(3)
  })

  test('after a logout', async () => {
    const scene = createScene({
      keepFresh: true,
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    await scene.request()
    await scene.subject.logout()
    await scene.time.advance(4 * 3_600_000)
    expect(scene.contexts).toHaveLength(1)
    expect(scene.time.pending()).toEqual([])
  })

  test('for any tenant after close()', async () => {
    const scene = createScene({
      form: 'tenants',
      keepFresh: true,
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    await scene.request()
    scene.tenant = 'b'
    await scene.request()
    await scene.subject.close()
    await scene.time.advance(4 * 3_600_000)
    expect(scene.contexts).toHaveLength(2)
    expect(scene.time.pending()).toEqual([])
  })
})

describe('a logout', () => {
  test('is not undone by a read of the store that was under way', async () => {
    const scene: Scene = createScene({
      store: slowStore(() => scene.time),
      traits: { restore, discovers: true },
      acquire: async (context, number) => token(context, `token-${number}`),
      server: (sent) => (sent === 'none' ? unauthorized() : new Response('fine')),
    })
    const earlier = scene.another()
    const made = outcome(earlier.login({}))
    await scene.time.advance(20_000)
    expect(made.state).toBe('fulfilled')
    const out = outcome(scene.subject.logout())
    await scene.time.advance(1000)
    const caller = new AbortController()
    outcome(scene.request(caller.signal))
    await scene.time.advance(500)
    caller.abort()
    await scene.time.advance(60_000)
    expect(out.state).toBe('fulfilled')
    scene.sent.length = 0
    const next = outcome(scene.request())
    await scene.time.advance(60_000)
    expect(next.state).toBe('fulfilled')
    expect(scene.sent).not.toContain('token-1')
    expect(scene.sent).toContain('token-2')
  })

  test('is not undone by the late answer of an acquisition that had timed out', async () => {
    const scene: Scene = createScene({
      acquireTimeout: 5,
      async acquire(context, number) {
        await context.commit()
        if (number === 1) await scene.time.sleep(90_000)
        return token(context, `token-${number}`)
      },
    })
    outcome(scene.request())
    await scene.time.advance(6000)
    const out = outcome(scene.subject.logout())
    await scene.time.advance(80_000)
    expect(out.state).toBe('fulfilled')
    await scene.time.advance(10_000)
    await scene.request()
    expect(scene.sent).toEqual(['token-2'])
  })

  test('keeps nobody who gives up meanwhile, and nothing begins for them', async () => {
    const scene: Scene = createScene({
      form: 'manager',
      traits: {
        revoke: async () => {
          await scene.time.sleep(10_000)
          return true
        },
      },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    const ask = (signal: AbortSignal) => scene.subject.credential?.({ signal }) ?? scene.request()
    await scene.subject.credential?.({})
    const out = outcome(scene.subject.logout())
    await scene.time.advance(10)
    const caller = new AbortController()
    const waiting = outcome(ask(caller.signal))
    await scene.time.advance(1000)
    caller.abort()
    await scene.time.settle()
    expect(waiting.state).toBe('rejected')
    await scene.time.advance(20_000)
    expect(out.state).toBe('fulfilled')
    expect(scene.contexts).toHaveLength(1)
  })

  test('that takes long begins no acquisition for a request that was given up', async () => {
    const scene: Scene = createScene({
      traits: {
        interactive: true,
        revoke: async () => {
          await scene.time.sleep(55_000)
          return true
        },
      },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    await scene.request()
    outcome(scene.subject.logout())
    await scene.time.advance(10)
    const waiting = outcome(scene.request())
    const idle: string[] = []
    const watch = async () => {
      for (let count = 0; count < 70; count += 1) {
        await scene.time.advance(1000)
        if (waiting.state !== 'open' && scene.contexts.length === 1) idle.push('given up')
      }
    }
    await watch()
    // Either the logout ended in time for the request, or nothing was acquired for nobody.
    if (idle.length > 0) expect(scene.contexts).toHaveLength(1)
    else expect(waiting.state).toBe('fulfilled')
  })
})

describe('close()', () => {
  test('lets no request go out with an answer that comes after its grace', async () => {
    const scene: Scene = createScene({
      async acquire(context) {
        await context.commit()
        await scene.time.sleep(20_000)
        return token(context, 'token-1')
      },
    })
    const waiting = outcome(scene.request())
    await scene.time.advance(1000)
    const closing = outcome(scene.subject.close())
    await scene.time.advance(60_000)
    expect(closing.state).toBe('fulfilled')
    expect(waiting).toMatchObject({ state: 'rejected', value: { code: 'closed' } })
    expect(scene.sent).toEqual([])
  })

  test.each(['leaves', 'closes'])(
    'and leaving: nothing is acquired under the lock for one who %s',
    async (how) => {
      const scene: Scene = createScene({
        store: slowStore(() => scene.time),
        traits: { restore },
        acquire: async (context) => token(context, 'token-1'),
      })
      const caller = new AbortController()
      outcome(scene.request(caller.signal))
      // One read before the lock, one under it.
      await scene.time.advance(3000)
      const { length } = scene.contexts
      if (how === 'leaves') caller.abort()
      else outcome(scene.subject.close())
      await scene.time.advance(30_000)
      expect(scene.contexts).toHaveLength(length)
    },
  )

  test('loses no answer that comes after its grace, though another holds the lock for long', async () => {
    const store = memoryStore()
    const scene: Scene = createScene({
      form: 'manager',
      store,
      traits: { restore },
      async acquire(context, number) {
        if (number === 2) {
          await context.commit()
          await scene.time.sleep(10_000)
        } else if (number === 3) await new Promise(() => {})
        return token(context, `token-${number}`)
      },
    })
    await scene.subject.login({})
    outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(1000)
    outcome(scene.another().renew?.({}) ?? scene.request())
    outcome(scene.subject.close())
    await scene.time.advance(60_000)
    const [key = ''] = await store.list()
    expect((await store.get(key))?.data['refreshToken']).toBe('token-2')
  })
})
