import { afterEach, describe, expect, test } from 'vitest'
import {
  type AcquireContext,
  type Credential,
  CredentialError,
  LoginRequiredError,
} from '../../src/index.ts'
import { closeScenes, createScene, outcome, type Scene, token } from './scene.ts'
import { memoryStore } from './subject.ts'

afterEach(closeScenes)

const down = () => new CredentialError('server_error', 'down', { retryable: true })
const unauthorized = () => new Response('', { status: 401 })

describe('a provider that returns invalid times is asked at most six times a second', () => {
  const invalidTimes: readonly (readonly [
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
  test.each(invalidTimes)('%s (keepFresh: %s)', async (what, keepFresh, times) => {
    const scene = createScene({
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

test('login() inside the listener of login_required asks the person again', async () => {
  let help: ReturnType<typeof outcome> | undefined
  const scene: Scene = createScene({
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
    const scene: Scene = createScene({
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
        const scene: Scene = createScene({
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
      const scene: Scene = createScene({
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
