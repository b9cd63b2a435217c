import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialError } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { type Answer, oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

type Register = NonNullable<Script['register']>

const period = 600_000

/** Registers a client with a secret that expires then, in seconds since the epoch. */
const confidential =
  (expiresAt: number): Register =>
  (body) => ({
    status: 201,
    body: {
      ...body,
      client_id: 'confidential',
      client_secret: 'canary-secret',
      client_secret_expires_at: expiresAt,
      token_endpoint_auth_method: 'client_secret_basic',
    },
  })

async function setUp(script: Script = {}) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const store = memoryStore()
  const provider = authorizationCode({ onAuthorizationUrl: (url) => fetch(url) })
  const options = { resource: world.url, now: clock.now, random: () => 0, store }
  const send = authorizedFetch(provider, options)
  const call = () => send(world.url, { method: 'POST', body: '{}' })
  const errors: CredentialError[] = []
  /** Sends requests 5 s apart, as a busy client does. */
  const work = async (count = 40) => {
    for (let sent = 0; sent < count; sent += 1) {
      await call().catch((error: CredentialError) => errors.push(error))
      clock.advance(5000)
    }
  }
  const registrations = () => world.paths().filter((path) => path === '/register').length
  return { world, clock, send, call, work, errors, registrations, store, options }
}

/** A server whose refresh token is refused each time. */
const refusing =
  (status: number, error: string, expires_in = 3): NonNullable<Script['token']> =>
  (params, count): Answer =>
    params.get('grant_type') === 'refresh_token'
      ? { status, body: { error } }
      : { body: tokenAnswer(count, { expires_in, refresh_token: `refresh-${count}` }) }

describe('a user who did not call login()', () => {
  const servers: readonly (readonly [string, Script])[] = [
    [
      'issues tokens of three seconds without a refresh token',
      { token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: 3 }) }) },
    ],
    ['refuses each refresh', { token: refusing(400, 'invalid_grant') }],
    ['knows no client at a refresh', { token: refusing(401, 'invalid_client') }],
    ['fails whenever a code is redeemed', { token: () => ({ status: 500 }) }],
    ['refuses the client whenever a code is redeemed', { token: () => ({ status: 401 }) }],
    [
      'registers clients whose secret has expired',
      {
        metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
        register: confidential(1),
        token: refusing(400, 'invalid_grant'),
      },
    ],
  ]
  test.each(servers)(
    'is asked at most three times in ten minutes by a server that %s',
    async (_what, script) => {
      const { world, work, registrations } = await setUp(script)
      await work()
      expect(world.logins().length).toBeLessThanOrEqual(3)
      expect(registrations()).toBeLessThanOrEqual(3)
    },
  )

  test('learns what happened, and how to continue', async () => {
    const { world, work, errors } = await setUp({
      token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: 3 }) }),
    })
    await work(4)
    expect(world.logins()).toHaveLength(3)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
    expect(errors[0]?.message).toContain('3 times within ten minutes')
    expect(errors[0]?.remedy).toContain('`login()`')
  })

  test('is asked at most five times in ten minutes by an MCP server that rejects every login', async () => {
    let isRejected = false
    const { world, call, clock } = await setUp({
      token: refusing(400, 'invalid_grant', 3600),
      mcp: () => (isRejected ? { status: 401 } : undefined),
    })
    for (let count = 0; count < 19; count += 1) {
      isRejected = count % 2 === 1
      await call().catch(() => {})
      clock.advance(31_000)
    }
    expect(world.logins().length).toBeGreaterThan(2)
    expect(world.logins().length).toBeLessThanOrEqual(5)
  })

  test('is asked at most five times in ten minutes, whatever challenges a server mixes', async () => {
    let step = 0
    const { world, work } = await setUp({
      token: refusing(400, 'invalid_grant', 3600),
      mcp: () => {
        step += 1
        const error = ['insufficient_scope', 'insufficient_user_authentication', 'invalid_token']
        const demand = `Bearer error="${error[step % 3]}", scope="s${step}", acr_values="a${step}"`
        return { status: step % 3 === 0 ? 403 : 401, headers: { 'www-authenticate': demand } }
      },
    })
    await work(118)
    expect(world.logins().length).toBeGreaterThan(2)
    expect(world.logins().length).toBeLessThanOrEqual(5)
  })

  test('is asked at most five times in ten minutes by a server that requires ever stronger logins', async () => {
    let step = 0
    const { world, work } = await setUp({
      token: refusing(400, 'invalid_grant', 3600),
      mcp: () => {
        step += 1
        const demand = `Bearer error="insufficient_user_authentication", acr_values="a${step}"`
        return { status: 401, headers: { 'www-authenticate': demand } }
      },
    })
    await work(118)
    expect(world.logins().length).toBeGreaterThan(2)
    expect(world.logins().length).toBeLessThanOrEqual(5)
  })

  test('is asked again after logout()', async () => {
    const { world, work, send, call } = await setUp({
      token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: 3 }) }),
    })
    await work(6)
    await send.logout()
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(4)
  })

  test('can still log in with login(), as often as needed', async () => {
    const { world, work, send, clock } = await setUp({
      token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: 3 }) }),
    })
    await work()
    for (let count = 0; count < 4; count += 1) {
      await send.login()
      clock.advance(30_000)
    }
    expect(world.logins()).toHaveLength(7)
  })

  test('is asked again after ten minutes', async () => {
    const { world, call, clock } = await setUp({
      token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: 3 }) }),
    })
    for (let count = 0; count < 3; count += 1) {
      await call()
      clock.advance(period / 3)
    }
    await call()
    expect(world.logins()).toHaveLength(4)
  })

  test('is counted separately from other users of one provider', async () => {
    const world = await oauthWorld()
    const provider = authorizationCode({ onAuthorizationUrl: (url) => fetch(url) })
    for (const account of ['a', 'b', 'c', 'd', 'e']) {
      const store = memoryStore()
      const send = authorizedFetch(provider, { resource: world.url, account, store })
      expect((await send(world.url)).status).toBe(200)
    }
    expect(world.logins()).toHaveLength(5)
  })
})

describe('a registration', () => {
  test('whose secret had expired on arrival is rejected, and no user is asked to log in', async () => {
    const { world, call, store } = await setUp({
      metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
      register: confidential(1),
    })
    const error = (await call().catch((thrown) => thrown)) as CredentialError
    expect(error).toMatchObject({ code: 'registration_failed', retryable: false })
    expect(error.message).toContain('expired')
    expect(world.logins()).toEqual([])
    for (const key of await store.list()) {
      expect(JSON.stringify(await store.get(key))).not.toContain('canary-secret')
    }
  })

  test('is made at most three times in ten minutes, also for login()', async () => {
    const { world, send, clock, registrations } = await setUp({
      token: () => ({ status: 401, body: { error: 'invalid_client' } }),
    })
    const errors: CredentialError[] = []
    for (let count = 0; count < 6; count += 1) {
      await send.login().catch((error: CredentialError) => errors.push(error))
      clock.advance(15_000)
    }
    expect(registrations()).toBe(3)
    expect(world.logins()).toHaveLength(3)
    expect(errors.at(-1)).toMatchObject({ code: 'registration_failed', retryable: false })
    expect(errors.at(-1)?.retryAfter).toBeGreaterThan(0)
    expect(errors.at(-1)?.message).toContain('three times within ten minutes')
    clock.advance(period)
    await send.login().catch(() => {})
    expect(registrations()).toBe(4)
  })

  test('without a secret does not expire', async () => {
    const { world, call } = await setUp({
      register: (body) => ({
        status: 201,
        body: { ...body, client_id: 'public', client_secret_expires_at: 1 },
      }),
    })
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(1)
  })
})
