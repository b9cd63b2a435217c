import { afterEach, describe, expect, test } from 'vitest'
import {
  type AcquireContext,
  type Credential,
  CredentialError,
  LoginRequiredError,
} from '../../src/index.ts'
import {
  enterScene,
  grantOf,
  insufficient,
  leaveScene,
  outcome,
  restore,
  type Scene,
  slowStore,
  token,
} from './scene.ts'
import { memoryStore } from './subject.ts'

afterEach(leaveScene)

const down = () => new CredentialError('server_error', 'down', { retryable: true })
const unauthorized = () => new Response('', { status: 401 })

describe('a single-use grant', () => {
  test('is not sent when its caller has left before, and so not twice', async () => {
    const scene: Scene = enterScene({
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

  test('is redeemed once when a renewal becomes due during a step-up', async () => {
    const scene = stepUpDuringRenewal()
    await scene.run()
    expect(scene.redeemed.length).toBeGreaterThan(0)
    expect(new Set(scene.redeemed).size).toBe(scene.redeemed.length)
  })

  test('that was sent is not given up for the time limit, and its answer counts', async () => {
    const scene: Scene = enterScene({
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
    const scene: Scene = enterScene({
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
    const scene = enterScene({
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
    const scene = enterScene({
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
    const scene = enterScene({
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
    const scene: Scene = enterScene({
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
    const scene: Scene = enterScene({
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
    const scene: Scene = enterScene({
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
    const scene: Scene = enterScene({
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
    const scene: Scene = enterScene({
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
      const scene: Scene = enterScene({
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
})

describe('a provider that returns nonsense is asked at most six times a second', () => {
  const nonsense: readonly (readonly [
    string,
    boolean,
    (context: AcquireContext) => Partial<Credential>,
  ])[] = [
    ['refreshAt in the past and no expiresAt', true, ({ now }) => ({ refreshAt: now() - 5000 })],
    ['refreshAt in the past and no expiresAt', false, ({ now }) => ({ refreshAt: now() - 5000 })],
    ['obtainedAt ten minutes ahead', true, ({ now }) => ({ obtainedAt: now() + 600_000 })],
    ['obtainedAt ten minutes ahead', false, ({ now }) => ({ obtainedAt: now() + 600_000 })],
    ['refreshAt NaN', true, () => ({ refreshAt: Number.NaN })],
    ['refreshAt NaN', false, () => ({ refreshAt: Number.NaN })],
  ]
  test.each(nonsense)('%s (keepFresh: %s)', async (what, keepFresh, times) => {
    const scene = enterScene({
      keepFresh,
      acquire: async (context, number) => {
        const life = what.includes('obtainedAt') ? 3600 : 'none'
        const made = token(context, `token-${number}`, life, times(context))
        const { obtainedAt: _obtainedAt, ...rest } = made
        return what.includes('obtainedAt') ? made : rest
      },
    })
    for (let count = 0; count < 20; count += 1) {
      await scene.request()
      await scene.time.advance(50, () => scene.contexts.length > 50)
    }
    expect(scene.contexts.length).toBeLessThanOrEqual(6)
  })
})

/** A renewal becomes due while a step-up is under way. */
function stepUpDuringRenewal(): Scene & { run(): Promise<void> } {
  const scene: Scene = enterScene({
    traits: { scoped: true },
    random: 0,
    async acquire(context, number) {
      const grant = grantOf(context)
      const scope = context.scope ?? 'read'
      const isStepUp = context.reason === 'insufficient_scope'
      if (grant !== undefined) {
        await context.commit()
        scene.redeemed.push(grant)
        await scene.time.sleep(isStepUp ? 4000 : 6000)
      }
      return token(context, `token-${number} ${scope}`, 300, { scope })
    },
    server: (sent) =>
      sent.includes('write') || !wide ? new Response('fine') : insufficient('read write'),
  })
  let wide = false
  const run = async () => {
    await scene.request()
    // Just before the early window of 60 seconds begins.
    await scene.time.advance(239_000)
    wide = true
    const stepping = outcome(scene.request())
    await scene.time.advance(100)
    wide = false
    for (let count = 0; count < 30; count += 1) {
      await scene.request()
      await scene.time.advance(1000)
    }
    expect(stepping.state).toBe('fulfilled')
  }
  return Object.assign(scene, { run })
}

describe('a step-up', () => {
  test('keeps its scopes when a renewal becomes due meanwhile', async () => {
    const scene = stepUpDuringRenewal()
    await scene.run()
    expect(scene.sent.at(-1)).toContain('write')
  })

  test('is made again when a renewal has brought fewer scopes', async () => {
    const scene: Scene = enterScene({
      traits: { scoped: true },
      async acquire({ scope = 'read', reason, ...context }, number) {
        const granted = reason === 'expiring' ? 'read' : scope
        return token(context, `token-${number} ${granted}`, 300, { scope: granted })
      },
      server: (sent) =>
        sent.includes('write') ? new Response('fine') : insufficient('read write'),
    })
    expect((await scene.request()).status).toBe(200)
    await scene.time.advance(310_000)
    expect((await scene.request()).status).toBe(200)
  })

  test('answers the late 403 of an older credential too, when the issuer states no scope', async () => {
    const scene: Scene = enterScene({
      traits: { scoped: true },
      acquire: async ({ scope = 'read', ...context }, number) =>
        token(context, `token-${number} ${scope}`),
      async server(sent, number) {
        if (sent.includes('write')) return new Response('fine')
        await scene.time.sleep(number === 1 ? 1000 : 5000)
        return insufficient('read write')
      },
    })
    const requests = [outcome(scene.request()), outcome(scene.request())]
    await scene.time.advance(10_000)
    expect(requests.map(({ value }) => (value as Response).status)).toEqual([200, 200])
    expect(scene.contexts.filter(({ reason }) => reason === 'insufficient_scope')).toHaveLength(1)
  })

  test.each([
    ['a new scope each time', (number: number) => `scope-${number}`],
    ['scopes of 10 000 characters', (number: number) => `s${number} ${'x'.repeat(10_000)}`],
  ])(
    'is made at most three times in ten minutes for a server that names %s',
    async (_what, name) => {
      const scene = enterScene({
        traits: { scoped: true },
        acquire: async ({ scope = 'read', ...context }, number) =>
          token(context, `token-${number}`, 3600, { scope }),
        server: (_sent, number) => insufficient(name(number)),
      })
      for (let count = 0; count < 20; count += 1) {
        await scene.request().catch(() => {})
        await scene.time.advance(25_000)
      }
      const steps = scene.contexts.filter(({ reason }) => reason === 'insufficient_scope')
      expect(steps.length).toBeLessThanOrEqual(3)
      const longest = Math.max(...scene.contexts.map(({ scope = '' }) => scope.length))
      expect(longest).toBeLessThanOrEqual(4000)
    },
  )
})

test('login() inside the listener of login_required asks the person again', async () => {
  let help: ReturnType<typeof outcome> | undefined
  const scene: Scene = enterScene({
    form: 'manager',
    traits: { interactive: true },
    async acquire(context, number) {
      if (number === 1) throw new LoginRequiredError('no_credential', 'declined')
      return token(context, 'token-2')
    },
    onEvent({ type }) {
      if (type === 'login_required') help ??= outcome(scene.subject.login({}))
    },
  })
  const first = outcome(scene.subject.credential?.({}) ?? scene.request())
  await scene.time.advance(1000)
  expect(first.state).toBe('rejected')
  expect(help?.state).toBe('fulfilled')
  expect(scene.contexts).toHaveLength(2)
})

test.each([0.3, 0.6, 0.99])(
  'an outage that ends two seconds before expiry is not noticed (random: %s)',
  async (random) => {
    let isDown = false
    const scene: Scene = enterScene({
      random,
      async acquire(context, number) {
        if (isDown) throw down()
        return token(context, `token-${number}`, 300)
      },
    })
    const failed: unknown[] = []
    await scene.request()
    isDown = true
    for (let second = 0; second < 400; second += 1) {
      if (second === 298) isDown = false
      await scene.request().catch((error: unknown) => failed.push([second, error]))
      await scene.time.advance(1000)
    }
    expect(failed).toEqual([])
  },
)

describe.each([true, false])(
  'a clock that is set back by hours (passed as an option: %s)',
  (ownClock) => {
    test.each([undefined, 20])(
      'ends no pause later after a failure (Retry-After: %s)',
      async (retryAfter) => {
        let isDown = true
        const scene: Scene = enterScene({
          ownClock,
          async acquire(context, number) {
            const hint = retryAfter === undefined ? {} : { retryAfter }
            if (isDown)
              throw new CredentialError('server_error', 'down', { retryable: true, ...hint })
            return token(context, `token-${number}`)
          },
        })
        await scene.request().catch(() => {})
        isDown = false
        scene.time.jump(-6 * 3_600_000)
        await scene.time.advance(61_000)
        expect((await scene.request()).status).toBe(200)
      },
    )

    test('ends no pause later after a rejection', async () => {
      let accepted = 'nothing'
      const scene: Scene = enterScene({
        ownClock,
        acquire: async (context, number) => token(context, `token-${number}`),
        server: (sent) => (sent === accepted ? new Response('fine') : unauthorized()),
      })
      expect((await scene.request()).status).toBe(401)
      const { length } = scene.contexts
      accepted = `token-${length + 1}`
      scene.time.jump(-6 * 3_600_000)
      await scene.time.advance(61_000)
      await scene.request()
      expect((await scene.request()).status).toBe(200)
    })
  },
)

test('the lock of memoryStore() lets one in at a time when a waiter leaves', async () => {
  const store = memoryStore()
  const inside: string[] = []
  let most = 0
  const releases: (() => void)[] = []
  const enter = (name: string, signal?: AbortSignal) =>
    store.lock(
      'key',
      async () => {
        inside.push(name)
        most = Math.max(most, inside.length)
        await new Promise<void>((resolve) => releases.push(resolve))
        inside.splice(inside.indexOf(name), 1)
      },
      signal,
    )
  const turns = async () => {
    for (let count = 0; count < 20; count += 1) await undefined
  }
  const first = enter('first')
  const leaving = new AbortController()
  const second = outcome(enter('second', leaving.signal))
  await turns()
  leaving.abort()
  await turns()
  expect(second.state).toBe('rejected')
  const third = enter('third')
  await turns()
  expect(most).toBe(1)
  for (; releases.length > 0; await turns()) releases.shift()?.()
  await Promise.all([first, third])
})
