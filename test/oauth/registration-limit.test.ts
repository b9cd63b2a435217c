import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialError, type CredentialEvent } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { webLogins } from '../../src/web/index.ts'
import { testClock } from '../support/clock.ts'
import { type Answer, oauthWorld, type Script } from '../support/oauth-world.ts'

const redirectUri = 'https://app.example.com/callback'

/** Web applications that share a store, with a server that registers clients. */
async function setUp(script: Script = {}) {
  let registered = 0
  const register: NonNullable<Script['register']> = (body) => {
    registered += 1
    return { status: 201, body: { ...body, client_id: `r-${registered}` } }
  }
  const world = await oauthWorld({ register, ...script })
  const clock = testClock()
  const store = memoryStore()
  const key = randomBytes(32).toString('base64')
  const application = (uri = redirectUri) => {
    const logins = webLogins({ key, redirectUri: uri, store, now: clock.now })
    return {
      begin: (account = 'alice', resource = world.url) =>
        logins.beginLogin({ resource, account, session: 'session' }),
    }
  }
  const failure = (login: Promise<unknown>): Promise<CredentialError> =>
    login.then(
      () => expect.fail('did not fail'),
      (error: CredentialError) => error,
    )
  const registrations = () => world.paths().filter((path) => path.endsWith('/register')).length
  return { world, clock, store, application, failure, registrations }
}

const users = Array.from({ length: 30 }, (_, index) => `user-${index}`)

describe('the registration of a client', () => {
  test('is made once for all users whose logins begin at the same time', async () => {
    const { application, registrations } = await setUp()
    const [one, other] = [application(), application()]
    const begun = await Promise.all(
      users.map((user, index) => (index % 2 === 0 ? one : other).begin(user)),
    )
    expect(registrations()).toBe(1)
    expect(new Set(begun.map(({ url }) => url.searchParams.get('client_id')))).toEqual(
      new Set(['r-1']),
    )
  })

  test('that fails for all concurrent users is requested at most three times', async () => {
    const { application, registrations, failure } = await setUp({
      register: () => ({ status: 201, body: {} }),
    })
    const { begin } = application()
    const errors = await Promise.all(users.map((user) => failure(begin(user))))
    expect(registrations()).toBe(3)
    expect(errors.filter(({ retryAfter = 0 }) => retryAfter > 0)).toHaveLength(27)
  })

  const unusable: readonly (readonly [string, Answer])[] = [
    ['no client identifier', { status: 201, body: {} }],
    ['a secret that cannot be sent', { status: 201, body: { client_id: 'a', client_secret: 'é' } }],
    ['half of its JSON', { status: 201, body: '{"client_id":"a', cut: true }],
    ['a page', { status: 200, type: 'text/html', body: '<html>' }],
    ['status 999', { status: 999 }],
    ['an identifier of 9 kB', { status: 201, body: { client_id: 'a'.repeat(9000) } }],
  ]
  test.each(unusable)(
    'is made at most three times in ten minutes with %s',
    async (_what, answer) => {
      const { application, registrations, failure, clock, store } = await setUp({
        register: () => answer,
      })
      const { begin } = application()
      for (let count = 0; count < 6; count += 1) {
        await failure(begin())
        clock.advance(30_000)
      }
      expect(registrations()).toBe(3)
      const error = await failure(begin())
      expect(error).toMatchObject({ code: 'registration_failed', retryable: false })
      expect(error.retryAfter).toBeGreaterThan(0)
      clock.advance(600_000)
      await failure(begin())
      expect(registrations()).toBe(4)
      const [key = ''] = await store.list()
      expect(JSON.stringify(await store.get(key)).length).toBeLessThan(1000)
    },
  )

  test('is not counted if the server responds that it was not made', async () => {
    for (const status of [400, 403, 429, 503]) {
      const { application, registrations, failure, clock } = await setUp({
        register: () => ({ status, body: {} }),
      })
      const { begin } = application()
      for (let count = 0; count < 6; count += 1) {
        expect(await failure(begin())).toMatchObject({ status })
        clock.advance(30_000)
      }
      expect(registrations()).toBe(6)
    }
  })

  test('with management data that cannot be sent is kept without them', async () => {
    const { application, store, world } = await setUp({
      register: (body) => ({
        status: 201,
        body: {
          ...body,
          client_id: 'r-1',
          registration_access_token: 't'.repeat(9000),
          registration_client_uri: 'https://a.example/r-1',
        },
      }),
    })
    await application().begin()
    const { data } = (await store.get(`registration ${world.issuer}`)) ?? {}
    expect(data).toMatchObject({ clientId: 'r-1' })
    expect(data).not.toHaveProperty('managementToken')
  })

  test('with an empty secret is stored without a secret', async () => {
    const { world, store } = await setUp({
      register: (body) => ({
        status: 201,
        body: { ...body, client_id: 'r-1', client_secret: '', client_secret_expires_at: 0 },
      }),
    })
    const provider = authorizationCode({ onAuthorizationUrl: (url) => fetch(url) })
    const send = authorizedFetch(provider, { resource: world.url, store })
    expect((await send(world.url)).status).toBe(200)
    expect(world.tokenRequests()).toMatchObject([{ client_id: 'r-1' }])
  })
})

test('the event of a web login contains the client that was just registered', async () => {
  const { world, store } = await setUp()
  const events: CredentialEvent[] = []
  const logins = webLogins({
    key: randomBytes(32).toString('base64'),
    redirectUri,
    store,
    onEvent: (event) => events.push(event),
  })
  await logins.beginLogin({ resource: world.url, account: 'alice', session: 'session' })
  expect(events).toContainEqual(expect.objectContaining({ type: 'login_started', clientId: 'r-1' }))
})
