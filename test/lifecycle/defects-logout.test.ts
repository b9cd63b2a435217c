import { afterEach, describe, expect, test } from 'vitest'
import { type CredentialStore, LoginRequiredError } from '../../src/index.ts'
import {
  closeScenes,
  createScene,
  grantOf,
  outcome,
  restore,
  type Scene,
  type SceneOptions,
  token,
} from './scene.ts'
import { memoryStore } from './subject.ts'

afterEach(closeScenes)

/**
 * A store that is slow with some writes: by their number, how many seconds; `Infinity`: it never answers. Tells
 * who writes and deletes what, in order.
 */
function lateStore(
  scene: () => Scene,
  delays: Readonly<Record<number, number>> = { 1: 20 },
): { store: CredentialStore; written: string[] } {
  const inner = memoryStore()
  const written: string[] = []
  let count = 0
  const store: CredentialStore = {
    ...inner,
    async set(key, record) {
      count += 1
      const delay = delays[count] ?? 0
      if (delay === Infinity) return new Promise(() => {})
      if (delay > 0) await scene().time.sleep(delay * 1000)
      written.push(`set ${String(record.data['refreshToken'])}`)
      await inner.set(key, record)
    },
    async delete(key) {
      written.push('delete')
      return inner.delete(key)
    },
  }
  return { store, written }
}

/** A manager whose tokens are renewed by single-use grants. */
function renewing(store: CredentialStore, options: Partial<SceneOptions> = {}): Scene {
  const scene: Scene = createScene({
    form: 'manager',
    store,
    traits: { restore },
    async acquire(context) {
      const grant = grantOf(context)
      if (grant !== undefined) {
        await context.commit()
        scene.redeemed.push(grant)
      }
      return token(context, `token-${scene.redeemed.length + 1}`)
    },
    ...options,
  })
  return scene
}

describe('a write that the store is slow with', () => {
  test('keeps nobody who waits for the credential', async () => {
    const { store } = lateStore(() => scene)
    const scene: Scene = createScene({
      store,
      traits: { restore },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    const waiting = outcome(scene.request())
    await scene.time.advance(6000)
    expect(waiting.state).toBe('fulfilled')
  })

  test('brings nothing back after the logout', async () => {
    const { store, written } = lateStore(() => scene)
    const scene: Scene = createScene({
      store,
      traits: { restore },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    outcome(scene.request())
    await scene.time.advance(6000)
    const out = outcome(scene.subject.logout())
    await scene.time.advance(60_000)
    expect(out.state).toBe('fulfilled')
    expect(written.at(-1)).toBe('delete')
    expect(await store.list()).toEqual([])
  })

  test('brings nothing back after the logout of another process', async () => {
    const { store, written } = lateStore(() => scene, { 1: 9 })
    const scene: Scene = createScene({
      store,
      traits: { restore },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    const other = scene.another()
    outcome(scene.request())
    await scene.time.advance(6000)
    const out = outcome(other.logout())
    await scene.time.advance(60_000)
    expect(out.state).toBe('fulfilled')
    expect(written).toEqual(['set token-1', 'delete'])
    await scene.subject.close()
    expect(await store.list()).toEqual([])
  })

  test('does not replace what was renewed since', async () => {
    const { store, written } = lateStore(() => scene)
    const scene: Scene = renewing(store)
    outcome(scene.subject.login({}))
    await scene.time.advance(6000)
    const renewed = outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(60_000)
    expect(renewed.state).toBe('fulfilled')
    expect(written.at(-1)).toBe('set token-2')
  })

  test('delays nobody for ever when it is lost', async () => {
    const { store } = lateStore(() => scene, { 1: Infinity })
    const scene: Scene = renewing(store)
    outcome(scene.subject.login({}))
    await scene.time.advance(120_000)
    const other = scene.another()
    for (const subject of [scene.subject, other, scene.subject, other]) {
      const renewed = outcome(subject.renew?.({}) ?? scene.request())
      await scene.time.advance(31_000)
      if (subject === other) expect(renewed.state).toBe('fulfilled')
    }
    const renewed = outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(1000)
    expect(renewed.state).toBe('fulfilled')
    const out = outcome(scene.subject.logout())
    await scene.time.advance(1000)
    expect(out.state).toBe('fulfilled')
  })

  test('does not keep the lock after close(), and does not lose the login', async () => {
    const { store } = lateStore(() => scene, { 1: Infinity })
    const scene: Scene = renewing(store)
    outcome(scene.subject.login({}))
    await scene.time.advance(6000)
    const closed = outcome(scene.subject.close())
    await scene.time.advance(1000)
    const other = outcome(scene.another().credential?.({}) ?? scene.request())
    await scene.time.advance(1000)
    expect(closed.state).toBe('fulfilled')
    expect(other.value).toMatchObject({ record: { data: { refreshToken: 'token-1' } } })
  })

  test('is repeated before another process gets the lock', async () => {
    // A login, the mark of a renewal, and its answer.
    const { store } = lateStore(() => scene, { 3: Infinity })
    const scene: Scene = renewing(store)
    await scene.subject.login({})
    outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(6000)
    const other = outcome(scene.another().renew?.({}) ?? scene.request())
    await scene.time.advance(30_000)
    expect(other.state).toBe('fulfilled')
    expect(scene.redeemed).toEqual(['token-1', 'token-2'])
  })

  test('is not lost on close() when it fails and then is not answered', async () => {
    const { store } = lateStore(() => scene, { 3: 4.9, 4: Infinity })
    const scene: Scene = renewing(store)
    await scene.subject.login({})
    outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(10)
    outcome(scene.subject.close())
    await scene.time.advance(20_000)
    const [key = ''] = await store.list()
    expect((await store.get(key))?.data['refreshToken']).toBe('token-2')
  })

  test('of the mark lets no grant be sent once another process has the lock', async () => {
    const { store } = lateStore(() => scene, { 2: 5 })
    const scene: Scene = renewing(store, { acquireTimeout: 2 })
    await scene.subject.login({})
    outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(1000)
    const other = outcome(scene.another().renew?.({}) ?? scene.request())
    await scene.time.advance(30_000)
    expect(other.state).toBe('rejected')
    expect(scene.redeemed.filter((grant) => grant === 'token-1').length).toBeLessThan(2)
  })
})

describe('a removal that the store is slow with', () => {
  test('revokes nothing after the logout has failed, and the login is kept', async () => {
    const inner = memoryStore()
    const revoked: unknown[] = []
    const scene: Scene = createScene({
      form: 'manager',
      store: {
        ...inner,
        async delete(key) {
          await scene.time.sleep(60_000)
          return inner.delete(key)
        },
      },
      traits: {
        restore,
        revoke: async (credential) => {
          revoked.push(credential)
          return true
        },
      },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    await scene.subject.login({})
    const out = outcome(scene.subject.logout())
    await scene.time.advance(120_000)
    expect(out.state).toBe('rejected')
    expect(revoked).toEqual([])
    expect(await inner.list()).toHaveLength(1)
  })
})

describe('a request that gives up while a logout lasts', () => {
  test('leaves nothing behind that asks the user', async () => {
    const scene: Scene = createScene({
      keepFresh: true,
      traits: {
        interactive: true,
        // The process is stopped meanwhile, so that the request gives up first.
        revoke: () => new Promise<never>(() => {}),
      },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    await scene.request()
    outcome(scene.subject.logout())
    await scene.time.advance(10)
    const waiting = outcome(scene.request())
    await scene.time.freeze(400_000)
    await scene.time.advance(7_200_000)
    const asked = scene.contexts.length - 1
    expect(waiting.state === 'fulfilled' ? asked >= 1 : asked === 0).toBe(true)
  })
})

describe('a tenant that is one too many', () => {
  test('is not renewed unasked while its login cannot be written', async () => {
    const asked: string[] = []
    const inner = memoryStore()
    const scene: Scene = createScene({
      form: 'tenants',
      keepFresh: true,
      store: { ...inner, set: () => Promise.reject(new Error('the disk is full')) },
      traits: { restore },
      async acquire(context, number, tenant) {
        asked.push(tenant)
        return token(context, `token-${number}`)
      },
    })
    const requested = async (tenant: string) => {
      scene.tenant = tenant
      const answered = outcome(scene.request())
      await scene.time.advance(10_000)
      expect(answered.state).toBe('fulfilled')
    }
    await requested('a')
    await requested('b')
    await scene.time.advance(4 * 3_600_000)
    expect(asked.filter((tenant) => tenant === 'a')).toHaveLength(1)
    expect(asked.filter((tenant) => tenant === 'b').length).toBeGreaterThan(3)
    await requested('a')
    await scene.time.advance(4 * 3_600_000)
    expect(asked.filter((tenant) => tenant === 'a').length).toBeGreaterThan(3)
  })
})

describe('a login', () => {
  test('asks again when it joins an attempt that the user has declined already', async () => {
    const inner = memoryStore()
    const scene: Scene = createScene({
      form: 'manager',
      store: {
        ...inner,
        async lock(key, task, signal) {
          return inner.lock(
            key,
            async (lease) => {
              const running = task(lease)
              await Promise.allSettled([running])
              await scene.time.sleep(2000)
              return running
            },
            signal,
          )
        },
      },
      traits: { restore, interactive: true },
      async acquire(context, number) {
        if (number === 1) throw new LoginRequiredError('no_credential', 'The user declined.')
        return token(context, `token-${number}`)
      },
    })
    const declined = outcome(scene.subject.credential?.({}) ?? scene.request())
    await scene.time.advance(1000)
    const login = outcome(scene.subject.login({}))
    await scene.time.advance(10_000)
    expect(declined.state).toBe('rejected')
    expect(login.state).toBe('fulfilled')
    expect(scene.contexts).toHaveLength(2)
  })

  test('does not ask again for one whom a logout has ended', async () => {
    const inner = memoryStore()
    const scene: Scene = createScene({
      store: {
        ...inner,
        async set(key, record) {
          await scene.time.sleep(50)
          await inner.set(key, record)
        },
      },
      traits: { restore, interactive: true },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    outcome(scene.request())
    await scene.time.advance(20)
    const login = outcome(scene.subject.login({}))
    await scene.time.advance(1)
    outcome(scene.subject.logout())
    await scene.time.advance(10_000)
    expect(login.state).toBe('rejected')
    expect(scene.contexts).toHaveLength(1)
    expect(await inner.list()).toEqual([])
  })
})
