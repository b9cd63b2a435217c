import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  all,
  authorizedFetch,
  type CredentialError,
  type CredentialEvent,
  type CredentialProvider,
  headers,
} from '../../src/index.ts'
import { authorizationCode, clientCredentials, refreshToken } from '../../src/oauth/index.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** A client of a scripted world, with a clock that the test sets. */
async function client(script: Script, providerOf?: (world: World) => CredentialProvider) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const events: CredentialEvent[] = []
  const provider = providerOf?.(world) ?? authorizationCode(browser)
  const send = authorizedFetch(provider, {
    resource: world.url,
    now: clock.now,
    random: () => 0,
    onEvent: (event) => events.push(event),
  })
  const call = () => send(world.url, { method: 'POST', body: '{}' })
  const failure = async () => (await call().catch((thrown: unknown) => thrown)) as CredentialError
  return { world, clock, events, send, call, failure }
}

const fromRefreshToken = (world: World) =>
  refreshToken({ clientId: 'agent', issuer: world.issuer, refreshToken: 'refresh-0' })

const rotating: NonNullable<Script['token']> = (_params, count) => ({
  body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
})

describe('refresh tokens', () => {
  test('row 59: each renewal redeems the newest token, and none twice', async () => {
    const { world, clock, call } = await client({ token: rotating })
    for (let round = 0; round < 4; round += 1) {
      expect((await call()).status).toBe(200)
      clock.advance(3_700_000)
    }
    expect(world.tokenRequests().map(({ refresh_token }) => refresh_token)).toEqual([
      undefined,
      'refresh-1',
      'refresh-2',
      'refresh-3',
    ])
    expect(world.logins()).toHaveLength(1)
  })

  test('row 59: the old token is kept if the server returns no new one', async () => {
    const { world, clock, call } = await client({
      token: (_params, count) => ({
        body: tokenAnswer(count, count === 1 ? { refresh_token: 'for-ever' } : {}),
      }),
    })
    for (let round = 0; round < 3; round += 1) {
      await call()
      clock.advance(3_700_000)
    }
    expect(world.tokenRequests().map(({ refresh_token }) => refresh_token)).toEqual([
      undefined,
      'for-ever',
      'for-ever',
    ])
  })

  test('row 44: a refresh carries the resource, and no scope', async () => {
    const { world, clock, call } = await client({
      token: rotating,
      resource: () => ({ scopes_supported: ['a'] }),
    })
    await call()
    clock.advance(3_700_000)
    await call()
    const [, refresh] = world.tokenRequests()
    expect(refresh).toMatchObject({ grant_type: 'refresh_token', resource: world.url })
    expect(refresh).not.toHaveProperty('scope')
  })

  test('row 58: without a refresh token, the user logs in again', async () => {
    const { world, clock, call } = await client({})
    await call()
    clock.advance(3_700_000)
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(2)
  })

  test('row 59: twenty concurrent refused requests cost one renewal', async () => {
    const { world, call } = await client({
      token: rotating,
      mcp: (token) => (token === 'access-1' ? { status: 401 } : undefined),
    })
    const responses = await Promise.all(Array.from({ length: 20 }, call))
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(world.tokenRequests()).toHaveLength(2)
  })

  test('a background renewal never opens a browser, and the current token stays in use', async () => {
    const { world, clock, call, events } = await client({
      token: (params, count) =>
        params.get('grant_type') === 'refresh_token'
          ? { status: 400, body: { error: 'invalid_grant' } }
          : { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) },
    })
    await call()
    clock.advance(3_400_000)
    expect((await call()).status).toBe(200)
    await expect.poll(() => events.some(({ type }) => type === 'login_required')).toBe(true)
    expect(world.logins()).toHaveLength(1)
    clock.advance(300_000)
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(2)
  })

  test('a configured refresh token that is rejected causes one clear error, and no further request', async () => {
    const { world, failure } = await client(
      { token: () => ({ status: 400, body: { error: 'invalid_grant' } }) },
      fromRefreshToken,
    )
    expect(await failure()).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
    expect(await failure()).toMatchObject({ code: 'login_required' })
    expect(world.tokenRequests()).toHaveLength(1)
  })

  test('a configured refresh token is renewed in the background without a user', async () => {
    const { world, clock, call } = await client({ token: rotating }, fromRefreshToken)
    await call()
    clock.advance(3_400_000)
    await call()
    await expect.poll(() => world.tokenRequests().length).toBe(2)
    expect(world.tokenRequests().map(({ refresh_token }) => refresh_token)).toEqual([
      'refresh-0',
      'refresh-1',
    ])
  })
})

describe('a lost response', () => {
  /** Rotates, and closes the connection before the response; `grace`: whether the old token stays valid. */
  const cutting =
    (grace: boolean): NonNullable<Script['token']> =>
    (params, count, request) => {
      if (params.get('grant_type') !== 'refresh_token') {
        return { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) }
      }
      if (count === 2) {
        request.cut()
        return { status: 500 }
      }
      return grace
        ? { body: tokenAnswer(count, { refresh_token: 'refresh-2' }) }
        : { status: 400, body: { error: 'invalid_grant' } }
    }

  test('is requested once more with the same token, which a grace period permits', async () => {
    const { world, clock, call } = await client({ token: cutting(true) })
    await call()
    clock.advance(3_700_000)
    expect((await call()).status).toBe(200)
    expect(world.tokenRequests().map(({ refresh_token }) => refresh_token)).toEqual([
      undefined,
      'refresh-1',
      'refresh-1',
    ])
  })

  test('without a grace period, the error says that the response with the new token was lost', async () => {
    const { world, clock, call, failure } = await client({ token: cutting(false) }, (made) =>
      authorizationCode({ ...browser, issuer: made.issuer }),
    )
    await call()
    clock.advance(3_700_000)
    const error = await failure()
    expect(error).toMatchObject({ code: 'login_required', reason: 'rotation_lost' })
    expect(error.message).toContain('was lost')
    expect(world.tokenRequests()).toHaveLength(3)
  })
})

describe('malformed token responses', () => {
  const secrets = /super-secret|refresh-new/
  const malformed: readonly (readonly [string, object | string, string])[] = [
    ['no token', { token_type: 'Bearer' }, 'invalid_response'],
    ['a token that is a number', { access_token: 7, token_type: 'Bearer' }, 'invalid_response'],
    ['an empty token', { access_token: '', token_type: 'Bearer' }, 'invalid_response'],
    [
      'a line break in a token',
      { access_token: 'super-secret\r\nX: y', token_type: 'Bearer' },
      'invalid_response',
    ],
    [
      'a token beyond ASCII',
      { access_token: 'super-secret-é', token_type: 'Bearer' },
      'invalid_response',
    ],
    [
      'an unknown token type',
      { access_token: 'super-secret', token_type: 'mac' },
      'invalid_response',
    ],
    ['no token type', { access_token: 'super-secret' }, 'invalid_response'],
    ['HTML', '<html>super-secret</html>', 'invalid_response'],
    ['half a body', '{"access_token":"super-secret', 'invalid_response'],
    ['an array', '["super-secret"]', 'invalid_response'],
    ['2 MB', `"super-secret${'x'.repeat(2_000_000)}"`, 'invalid_response'],
  ]

  test.each(malformed)('%s causes an error that shows nothing of it', async (_what, body, code) => {
    const { failure, events } = await client({ token: () => ({ body }) }, (world) =>
      clientCredentials({ clientId: 'a', clientSecret: 'super-secret-2', issuer: world.issuer }),
    )
    const error = await failure()
    expect(error.code).toBe(code)
    expect(inspect([error, error.stack, events], { depth: 10 })).not.toMatch(secrets)
    expect(JSON.stringify([error, error.message, error.cause])).not.toMatch(secrets)
  })

  test.each([
    ['a number', 100, 100],
    ['text', '100', 100],
    ['zero', 0, 0],
    ['negative', -5, 0],
    ['a word', 'abc', undefined],
    ['null', null, undefined],
    ['empty', '', undefined],
    ['missing', undefined, undefined],
    ['more than ten years', 1e12, undefined],
    ['an object', {}, undefined],
  ])('expires_in that is %s becomes a plausible lifetime', async (_what, expiresIn, expected) => {
    const { send, clock } = await client({
      token: () => ({
        body: { access_token: 'opaque', token_type: 'Bearer', expires_in: expiresIn },
      }),
    })
    const { expiresAt } = await send.manager.credential()
    expect(expiresAt).toBe(expected === undefined ? Infinity : clock.now() + expected * 1000)
  })

  test('without expires_in, the times of a JWT are used, whichever clock is right', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const token = `${part({ alg: 'none' })}.${part({ iat: 5_000, exp: 5_600 })}.x`
    const { send, clock } = await client({
      token: () => ({ body: { access_token: token, token_type: 'Bearer' } }),
    })
    expect((await send.manager.credential()).expiresAt).toBe(clock.now() + 600_000)
  })

  test.each([
    ['ends before it begins', { iat: 8.64e12, exp: 5 }],
    ['ended in 1970', { exp: 0 }],
    ['lasts for centuries', { exp: 8.64e12 }],
  ])(
    'a JWT whose lifetime %s has no known expiry, and its renewal loses nothing',
    async (_what, claims) => {
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const { world, clock, send, call } = await client({
        token: (_params, count) => {
          const refresh = { refresh_token: `refresh-${count}` }
          if (count !== 2) return { body: tokenAnswer(count, refresh) }
          const token = `${part({ alg: 'none' })}.${part(claims)}.x`
          return { body: { access_token: token, token_type: 'Bearer', ...refresh } }
        },
      })
      await call()
      clock.advance(3_700_000)
      expect((await call()).status).toBe(200)
      expect((await send.manager.credential()).expiresAt).toBe(Infinity)
      await send.manager.renew()
      expect(world.tokenRequests().map(({ refresh_token }) => refresh_token)).toEqual([
        undefined,
        'refresh-1',
        'refresh-2',
      ])
    },
  )

  test('a refresh token in an otherwise unusable response is kept, and used next', async () => {
    const { world, clock, call, failure } = await client({
      token: (_params, count) => {
        if (count === 2) return { body: { refresh_token: 'refresh-new', token_type: 'mac' } }
        return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
      },
    })
    await call()
    clock.advance(3_700_000)
    const error = await failure()
    expect(error).toMatchObject({ code: 'invalid_response', retryable: true })
    expect(inspect(error, { depth: 10 })).not.toMatch(secrets)
    clock.advance(60_000)
    expect((await call()).status).toBe(200)
    expect(world.tokenRequests().map(({ refresh_token }) => refresh_token)).toEqual([
      undefined,
      'refresh-1',
      'refresh-new',
    ])
    expect(world.logins()).toHaveLength(1)
  })
})

describe('error responses of servers', () => {
  const table: readonly (readonly [string, object, object])[] = [
    [
      'invalid_grant',
      { status: 400, body: { error: 'invalid_grant' } },
      { code: 'login_required', reason: 'grant_rejected' },
    ],
    [
      'an empty 400 for a dead refresh token',
      { status: 400, body: '' },
      { code: 'login_required', reason: 'grant_rejected' },
    ],
    [
      'an empty 403 for a wrong secret',
      { status: 403, body: '' },
      { code: 'invalid_client', retryable: false },
    ],
    ['a bare 401', { status: 401, body: '' }, { code: 'invalid_client', retryable: false }],
    [
      'invalid_client',
      { status: 401, body: { error: 'invalid_client' } },
      { code: 'invalid_client', status: 401 },
    ],
    [
      'invalid_scope',
      { status: 400, body: { error: 'invalid_scope' } },
      { code: 'invalid_scope', retryable: false },
    ],
    [
      'invalid_target',
      { status: 400, body: { error: 'invalid_target' } },
      { code: 'invalid_target' },
    ],
    [
      'unauthorized_client',
      { status: 400, body: { error: 'unauthorized_client' } },
      { code: 'unauthorized_client' },
    ],
    [
      'a non-standard code',
      { status: 400, body: { error: 'TOKEN-42 !' } },
      { code: 'login_required' },
    ],
    [
      '429 with a time',
      { status: 429, headers: { 'retry-after': '30' }, body: '' },
      { code: 'rate_limited', retryable: true, retryAfter: 30 },
    ],
    ['503', { status: 503, body: '<html>' }, { code: 'server_error', retryable: true }],
    [
      'temporarily_unavailable',
      { status: 400, body: { error: 'temporarily_unavailable' } },
      { code: 'server_error', retryable: true },
    ],
    ['404', { status: 404, body: '' }, { code: 'server_error', retryable: false }],
  ]

  test.each(table)('%s', async (_what, answer, expected) => {
    const { failure, world } = await client({ token: () => answer }, fromRefreshToken)
    const error = await failure()
    expect(error).toMatchObject(expected)
    expect(error.message).toContain(new URL(world.issuer).host)
  })

  test('a description contains no control characters and no token, and is not in the message', async () => {
    const description = `no\r\nway eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(60)}`
    const { failure } = await client(
      {
        token: () => ({
          status: 400,
          body: { error: 'invalid_scope', error_description: description },
        }),
      },
      fromRefreshToken,
    )
    const error = await failure()
    expect(error.serverDescription).toBe('no way <redacted>')
    expect(error.message).not.toContain('way')
    expect(inspect(error)).not.toMatch(/eyJ|aaaa/)
  })

  test('an unreachable server is a temporary failure, and does not end a login', async () => {
    const { failure, clock, call, world } = await client({ token: rotating })
    await call()
    clock.advance(3_700_000)
    await world.authorizationServer.close()
    expect(await failure()).toMatchObject({
      code: 'network',
      systemCode: 'ECONNREFUSED',
      retryable: true,
      message: expect.stringContaining(
        `${new URL(world.issuer).host} cannot be reached (ECONNREFUSED)`,
      ),
    })
    expect(world.logins()).toHaveLength(1)
  })
})

describe('a server that names its metadata only in its challenge', () => {
  const script: Script = {
    challenge: ({ mcp }) => `scope="a", resource_metadata="${mcp}/.well-known/of-its-own"`,
    resourceWellKnown: (path, { mcp, issuer }) =>
      path === '/.well-known/of-its-own'
        ? { body: { resource: `${mcp}/mcp`, authorization_servers: [issuer] } }
        : { status: 404 },
    token: rotating,
  }

  test('row 12: receives a request without a credential before the first login', async () => {
    const { world, send, call } = await client(script)
    await send.manager.login()
    expect(world.logins()).toMatchObject([{ scope: 'a' }])
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(1)
  })

  test('row 12: is discovered again if its known metadata is too old', async () => {
    const { world, clock, call } = await client(script)
    await call()
    clock.advance(3_700_000)
    expect((await call()).status).toBe(200)
    expect(world.tokenRequests().map(({ grant_type }) => grant_type)).toEqual([
      'authorization_code',
      'refresh_token',
    ])
  })
})

describe('scopes', () => {
  const needs = (scope: string): NonNullable<Script['mcp']> => {
    return (token) =>
      token === 'access-1'
        ? {
            status: 403,
            headers: {
              'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"`,
            },
          }
        : undefined
  }

  test.each<[string, Script, object, string | undefined]>([
    [
      'the challenge',
      { challenge: () => 'scope="a b"', resource: () => ({ scopes_supported: ['c'] }) },
      {},
      'a b',
    ],
    ['the list of the server', { resource: () => ({ scopes_supported: ['c', 'd'] }) }, {}, 'c d'],
    ['nothing', {}, {}, undefined],
    ['the application', { challenge: () => 'scope="a b"' }, { scope: 'mine' }, 'mine'],
  ])('rows 48 to 50: are taken from %s', async (_what, script, options, expected) => {
    const { world, call } = await client(script, () =>
      authorizationCode({ ...browser, ...options }),
    )
    await call()
    expect(world.logins()[0]?.['scope']).toBe(expected)
  })

  test('rows 48, 49: of a renewal are those of the token before it', async () => {
    const { world, clock, call } = await client(
      {
        challenge: () => 'scope="a"',
        resource: () => ({ scopes_supported: ['a', 'b'] }),
      },
      ({ issuer }) => clientCredentials({ clientId: 'agent', clientSecret: 'secret', issuer }),
    )
    await call()
    clock.advance(3_700_000)
    await call()
    expect(world.tokenRequests().map(({ scope }) => scope)).toEqual(['a', 'a'])
  })

  test('row 57: include offline_access only if the authorization server lists it', async () => {
    const listed = { scopes_supported: ['a'] }
    const offline = () => ({ scopes_supported: ['a', 'offline_access'] })
    const lists = await client({ resource: () => listed, metadata: offline })
    await lists.call()
    expect(lists.world.logins()[0]?.['scope']).toBe('a offline_access')
    const doesNot = await client({ resource: () => listed })
    await doesNot.call()
    expect(doesNot.world.logins()[0]?.['scope']).toBe('a')
  })

  test('rows 51, 52, 54: missing at a 403 lead to one new login with the union, and to no refresh', async () => {
    const { world, call } = await client({
      token: rotating,
      challenge: () => 'scope="read"',
      mcp: needs('write'),
    })
    expect((await call()).status).toBe(200)
    expect(world.logins().map(({ scope }) => scope)).toEqual(['read', 'read write'])
    expect(world.tokenRequests().map(({ grant_type }) => grant_type)).toEqual([
      'authorization_code',
      'authorization_code',
    ])
  })

  test('row 53: that a server always asks for lead to a bounded number of logins', async () => {
    const { world, call } = await client({
      mcp: () => ({
        status: 403,
        headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="admin"' },
      }),
    })
    expect((await call()).status).toBe(403)
    expect((await call()).status).toBe(403)
    expect(world.logins().length).toBeLessThanOrEqual(3)
  })
})

test("beside a tenant header, a login still uses the server's challenge, and steps up", async () => {
  const { world, call } = await client(
    {
      token: rotating,
      challenge: () => 'scope="read"',
      mcp: (token) =>
        token === 'access-1'
          ? {
              status: 403,
              headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="write"' },
            }
          : undefined,
    },
    () => all(authorizationCode(browser), headers({ 'X-Tenant-ID': 'acme' })),
  )
  expect((await call()).status).toBe(200)
  expect(world.logins().map(({ scope }) => scope)).toEqual(['read', 'read write'])
  expect(world.mcpServer.requests.at(-1)?.headers['x-tenant-id']).toBe('acme')
})

test('a token endpoint that never responds causes an error within the configured time', async () => {
  const world = await oauthWorld({
    token: (_params, _count, request) => {
      request.hang()
      return { status: 500 }
    },
  })
  const provider = clientCredentials({ clientId: 'a', clientSecret: 's', issuer: world.issuer })
  const { manager } = authorizedFetch(provider, { resource: world.url, acquireTimeout: 0.1 })
  await expect(manager.credential()).rejects.toMatchObject({ code: 'timeout', retryable: true })
})

test('a credential shows no token, however it is inspected', async () => {
  const { send } = await client({
    token: () => ({ body: tokenAnswer(1, { access_token: 'canary', refresh_token: 'canary-2' }) }),
  })
  const credential = await send.manager.credential()
  for (const options of [{}, { getters: true, showHidden: true, depth: 10 }]) {
    expect(inspect(credential, options)).not.toContain('canary')
    expect(inspect({ credential }, options)).not.toContain('canary')
  }
})

test.each([
  ['invalid_scope', 'Request scopes'],
  ['invalid_request', 'Compare the parameters'],
  ['unsupported_response_type', "Contact the server's operator"],
  ['access_denied', 'Log in again and consent'],
])('an authorization response with %s says what to do', async (error, remedy) => {
  const { failure } = await client({
    redirect: (target) => {
      target.searchParams.delete('code')
      target.searchParams.set('error', error)
    },
  })
  expect((await failure()).remedy).toContain(remedy)
})

test('a port that fetch blocks is reported as a network problem', async () => {
  const resource = 'http://127.0.0.1:9/mcp'
  const send = authorizedFetch(authorizationCode(browser), { resource })
  const error = (await send.login().catch((thrown: unknown) => thrown)) as CredentialError
  expect(error).toMatchObject({ code: 'network' })
  expect(error.message).toContain('BLOCKED_PORT')
})
