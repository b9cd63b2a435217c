import { afterEach, describe, expect, test } from 'vitest'
import { type CredentialStore, LoginRequiredError } from '../../src/index.ts'
import { closeScenes, createScene, outcome, restore, type Scene, token } from './scene.ts'
import { memoryStore } from './subject.ts'

afterEach(closeScenes)

/** A store whose first write takes 20 seconds, and who writes and deletes what, in order. */
function lateStore(scene: () => Scene): { store: CredentialStore; written: string[] } {
  const inner = memoryStore()
  const written: string[] = []
  let isFirst = true
  const store: CredentialStore = {
    ...inner,
    async set(key, record) {
      const isLate = isFirst
      isFirst = false
      if (isLate) await scene().time.sleep(20_000)
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
    expect(written).toEqual(['set token-1', 'delete'])
    expect(await store.list()).toEqual([])
  })

  test('brings nothing back after the logout of another process', async () => {
    const { store, written } = lateStore(() => scene)
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
  })

  test('does not replace what was renewed since', async () => {
    const { store, written } = lateStore(() => scene)
    const scene: Scene = createScene({
      form: 'manager',
      store,
      traits: { restore },
      acquire: async (context, number) => token(context, `token-${number}`),
    })
    outcome(scene.subject.login({}))
    await scene.time.advance(6000)
    const renewed = outcome(scene.subject.renew?.({}) ?? scene.request())
    await scene.time.advance(60_000)
    expect(renewed.state).toBe('fulfilled')
    expect(written.at(-1)).toBe('set token-2')
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
})
