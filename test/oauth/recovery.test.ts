import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import {
  all,
  apiKey,
  authorizedFetch,
  type CredentialError,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialStore,
  firstAvailable,
  headers,
} from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  deviceCode,
  refreshToken,
  savedLogin,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred, settle, testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

async function setUp(script: Script) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const client = (provider: CredentialProvider, more: object = {}) => {
    const events: CredentialEvent[] = []
    const send = authorizedFetch(provider, {
      resource: world.url,
      now: clock.now,
      random: () => 0,
      onEvent: (event) => events.push(event),
      ...more,
    })
    const call = (init: RequestInit = {}) =>
      send(world.url, { method: 'POST', body: '{}', ...init })
    const failure = async () => (await call().catch((thrown: unknown) => thrown)) as CredentialError
    return { send, events, call, failure, manager: send.manager }
  }
  const redeemed = () => world.tokenRequests().map((r) => r['refresh_token'] ?? r['grant_type'])
  return { world, clock, client, redeemed }
}

const rotating: NonNullable<Script['token']> = (_params, count) => ({
  body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
})
const insufficient = (scope: string) => ({
  status: 403,
  headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
})

/** Like `rotating`, but the reuse of a refresh token revokes all tokens. */
function oneUse() {
  const state = { live: '', revoked: false }
  const token: NonNullable<Script['token']> = (params, count) => {
    const given = params.get('refresh_token')
    if (given !== null && state.live !== '' && given !== state.live) state.revoked = true
    if (state.revoked) return { status: 400, body: { error: 'invalid_grant' } }
    state.live = `refresh-${count}`
    return { body: tokenAnswer(count, { refresh_token: state.live }) }
  }
  return { state, token }
}

test('a step-up whose code is rejected keeps the stored login', async () => {
  const store = memoryStore()
  let codes = 0
  const { clock, client, world } = await setUp({
    token: (params, count) => {
      if (params.get('grant_type') === 'authorization_code') codes += 1
      if (codes === 2) {
        codes += 1
        return { status: 400, body: { error: 'invalid_grant' } }
      }
      return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
    },
    mcp: (_token, request) => (request.body.includes('admin') ? insufficient('admin') : undefined),
  })
  const { call } = client(authorizationCode(browser), { store })
  expect((await call()).status).toBe(200)
  await call({ body: '{"tool":"admin"}' }).catch(() => {})
  clock.advance(3_700_000)
  expect((await call()).status).toBe(200)
  expect(world.tokenRequests().at(-1)).toMatchObject({ refresh_token: 'refresh-1' })
  expect(world.logins()).toHaveLength(2)
})

test('an unusable renewed token does not lose the new refresh token', async () => {
  const { clock, client, redeemed, world } = await setUp({
    token: (_params, count) => ({
      body: {
        ...tokenAnswer(count, { refresh_token: `refresh-${count}` }),
        ...(count === 2 ? { access_token: 'bad-é' } : {}),
      },
    }),
  })
  const { call, failure } = client(authorizationCode(browser))
  await call()
  clock.advance(3_700_000)
  expect(await failure()).toMatchObject({ code: 'invalid_response' })
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
  expect(redeemed()).toEqual(['authorization_code', 'refresh-1', 'refresh-2'])
  expect(world.logins()).toHaveLength(1)
})

test('all(): a part that fails does not lose the refresh token that another part received', async () => {
  const { clock, client, redeemed, world } = await setUp({ token: rotating })
  let broken = false
  const tenant: CredentialProvider = {
    name: 'tenant',
    interactive: true,
    async acquire(context) {
      if (broken) throw new Error('the tenant service is down')
      return {
        expiresAt: context.now() + 3_600_000,
        apply: ({ headers: own }) => own.set('X-Tenant', 'a'),
      }
    },
  }
  const { call, failure } = client(all(authorizationCode(browser), tenant))
  await call()
  clock.advance(3_700_000)
  broken = true
  await failure()
  broken = false
  await expect.poll(() => world.tokenRequests().length).toBe(2)
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
  expect(redeemed()).toEqual(['authorization_code', 'refresh-1'])
})

test.each<[string, (inner: CredentialProvider) => CredentialProvider]>([
  ['all', (inner) => all(inner, headers({ 'X-Tenant': 'a' }))],
  ['firstAvailable', (inner) => firstAvailable(inner)],
])('%s(): a salvaged refresh token is used again', async (_name, wrap) => {
  const { clock, client, redeemed, world } = await setUp({
    token: (_params, count) => {
      if (count === 2) return { body: { refresh_token: 'refresh-new', token_type: 'mac' } }
      return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
    },
  })
  const { call, failure } = client(wrap(authorizationCode(browser)))
  await call()
  clock.advance(3_700_000)
  await failure()
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
  expect(redeemed()).toEqual(['authorization_code', 'refresh-1', 'refresh-new'])
  expect(world.logins()).toHaveLength(1)
})

test('firstAvailable(): a temporarily busy server does not end a login', async () => {
  const store = memoryStore()
  let busy = false
  const { clock, client, world } = await setUp({
    token: (_params, count) =>
      busy
        ? { status: 503, body: '' }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const provider = firstAvailable(authorizationCode(browser), apiKey({ value: 'key-of-others' }))
  const { call } = client(provider, { store })
  await call()
  clock.advance(3_700_000)
  busy = true
  await call().catch(() => {})
  const key = (await store.list()).find((name) => !name.startsWith('registration'))
  expect(key).toBeDefined()
  expect(world.mcpServer.requests.at(-1)?.headers['x-api-key']).toBeUndefined()
  expect((await store.get(key ?? ''))?.data['refreshToken']).toBe('refresh-1')
})

test('firstAvailable(savedLogin, authorizationCode): a busy server opens no browser', async () => {
  const store = memoryStore()
  let busy = false
  const { clock, client, world } = await setUp({
    token: (params, count) =>
      busy && params.has('refresh_token')
        ? { status: 503, body: '' }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const { call } = client(firstAvailable(savedLogin(), authorizationCode(browser)), { store })
  await call()
  expect(world.logins()).toHaveLength(1)
  clock.advance(3_700_000)
  const next = client(firstAvailable(savedLogin(), authorizationCode(browser)), { store })
  busy = true
  await next.call().catch(() => {})
  expect(world.logins()).toHaveLength(1)
})

test('two callers who read the store at the same time both learn that a login is required', async () => {
  const store = memoryStore()
  const { clock, client, world } = await setUp({
    token: () => ({ status: 400, body: { error: 'invalid_grant' } }),
  })
  const { failure } = client(
    refreshToken({ clientId: 'agent', issuer: world.issuer, refreshToken: 'refresh-0' }),
    { store },
  )
  expect((await failure()).code).toBe('login_required')
  clock.advance(2000)
  const codes = (await Promise.all([failure(), failure(), failure()])).map(({ code }) => code)
  expect(codes).toEqual(['login_required', 'login_required', 'login_required'])
})

test('a scope of the application with offline_access survives a step-up', async () => {
  const { client, world } = await setUp({
    token: (_params, count) => ({
      body: tokenAnswer(count, { refresh_token: `refresh-${count}`, scope: 'read' }),
    }),
    metadata: () => ({ scopes_supported: ['read', 'write', 'offline_access'] }),
    mcp: (token) => (token === 'access-1' ? insufficient('write') : undefined),
  })
  const { call } = client(authorizationCode({ ...browser, scope: 'read offline_access' }))
  await call()
  expect(world.logins().map(({ scope }) => scope?.split(' ').sort())).toEqual([
    ['offline_access', 'read'],
    ['offline_access', 'read', 'write'],
  ])
})

test('a registration that the server has deleted does not prevent a login', async () => {
  let gone = false
  let registered = 0
  const { clock, client, world } = await setUp({
    register(body) {
      registered += 1
      return { status: 201, body: { ...body, client_id: `client-${registered}` } }
    },
    token: (params, count) =>
      gone && params.get('client_id') === 'client-1'
        ? { status: 401, body: { error: 'invalid_client' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const { call, manager } = client(authorizationCode(browser))
  await call()
  gone = true
  clock.advance(3_700_000)
  await call().catch(() => {})
  clock.advance(61_000)
  await manager.login()
  expect(world.logins()).toHaveLength(2)
  expect(registered).toBe(2)
})

test('an expired registered secret is not used for a renewal', async () => {
  let registered = 0
  const { clock, client, world } = await setUp({
    metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
    register: (body) => {
      registered += 1
      return {
        status: 201,
        body: {
          ...body,
          client_id: `client-${registered}`,
          client_secret: `secret-${registered}`,
          client_secret_expires_at: registered === 1 ? clock.now() / 1000 + 1800 : 0,
        },
      }
    },
    token: (_params, count, request) => {
      const [id] = Buffer.from((request.headers.authorization ?? '').slice(6), 'base64')
        .toString()
        .split(':')
      return count > 1 && id === 'client-1'
        ? { status: 401, body: { error: 'invalid_client' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
    },
  })
  const { manager, call } = client(authorizationCode(browser))
  await call()
  clock.advance(3_700_000)
  await manager.login()
  expect(registered).toBe(2)
  expect(world.logins()).toHaveLength(2)
})

test('refreshToken(): a 403 does not lead to the use of a refresh token that was rotated earlier', async () => {
  const store = memoryStore()
  const { state, token } = oneUse()
  const { clock, client, world, redeemed } = await setUp({
    token,
    mcp: (_token, request) => (request.body.includes('admin') ? insufficient('admin') : undefined),
  })
  const make = () =>
    refreshToken({ clientId: 'agent', issuer: world.issuer, refreshToken: 'refresh-0' })
  expect((await client(make(), { store }).call()).status).toBe(200)
  const next = client(make(), { store })
  expect((await next.call()).status).toBe(200)
  await next.call({ body: '{"tool":"admin"}' }).catch(() => {})
  expect(redeemed()).toEqual(['refresh-0'])
  expect(state.revoked).toBe(false)
  clock.advance(3_700_000)
  expect((await next.call()).status).toBe(200)
})

test('savedLogin() without a store requires one', async () => {
  const saved = authorizedFetch(savedLogin(), { resource: 'https://mcp.example.com/mcp' })
  await expect(saved('https://mcp.example.com/mcp')).rejects.toMatchObject({
    code: 'login_required',
    reason: 'no_credential',
    message:
      'savedLogin() needs the option `store`, the one in which the login or the key is stored: `store: defaultStore()` of mcp-credentials/auto for those of the command mcp-credentials.',
  })
})

test('savedLogin(): a 403 is not reported as a missing login', async () => {
  const store = memoryStore()
  const { client } = await setUp({
    token: rotating,
    mcp: (_token, request) => (request.body.includes('admin') ? insufficient('admin') : undefined),
  })
  await client(authorizationCode(browser), { store }).call()
  const saved = client(savedLogin(), { store })
  const answer = await saved.call({ body: '{"tool":"admin"}' }).catch((thrown: unknown) => thrown)
  expect(answer).toMatchObject({ code: 'login_required', reason: 'step_up' })
})

test('a login that was widened by one process is adopted by another after its 403', async () => {
  const store = memoryStore()
  const { client, world } = await setUp({
    token: rotating,
    challenge: () => 'scope="read"',
    mcp: (token, request) =>
      request.body.includes('admin') && token === 'access-1' ? insufficient('admin') : undefined,
  })
  const one = client(authorizationCode(browser), { store })
  const two = client(authorizationCode(browser), { store })
  await one.call()
  await two.call()
  expect(world.logins()).toHaveLength(1)
  expect((await one.call({ body: '{"tool":"admin"}' })).status).toBe(200)
  expect((await two.call({ body: '{"tool":"admin"}' })).status).toBe(200)
  expect(world.logins()).toHaveLength(2)
})

test('a caller who aborts before the browser opens ends the login', async () => {
  const store = memoryStore()
  const controller = new AbortController()
  const opened: URL[] = []
  const { client, world } = await setUp({ token: rotating })
  const provider = authorizationCode({
    clientId: 'agent',
    clientSecret: async () => {
      controller.abort(new Error('left'))
      return 'secret'
    },
    issuer: world.issuer,
    onAuthorizationUrl: (url) => {
      opened.push(url)
    },
  })
  const { manager } = client(provider, { store })
  await expect(manager.credential({ signal: controller.signal })).rejects.toThrow('left')
  expect(await store.lock(`${world.url} | default`, async () => 'free')).toBe('free')
  expect(opened).toEqual([])
})

const device = (
  expiresIn: number,
  answers: (poll: number, cut: () => void) => object | undefined,
) => {
  let polls = 0
  const script: Script = {
    metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
    token: (params, count, request) => {
      if (!params.has('device_code')) {
        return {
          body: {
            device_code: 'device-1',
            user_code: 'WDJB',
            verification_uri: 'http://127.0.0.1/activate',
            expires_in: expiresIn,
            interval: 0.05,
          },
        }
      }
      polls += 1
      return answers(polls, request.cut) ?? { body: tokenAnswer(count) }
    },
  }
  return script
}

test('an expired device code ends the login, whatever the server responds', async () => {
  const script = device(0.5, () => ({
    status: 400,
    body: { error: 'authorization_pending' },
  }))
  const { client } = await setUp(script)
  const { manager } = client(deviceCode({ clientId: 'tv', onUserCode: () => {} }), {
    acquireTimeout: 3,
  })
  const error = await manager.credential().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'login_required' })
})

test.each(['cut', '503'])(
  'a temporary failure of a poll (%s) does not end a device login',
  async (how) => {
    const script = device(600, (poll, cut) => {
      if (poll !== 2)
        return poll < 2 ? { status: 400, body: { error: 'authorization_pending' } } : undefined
      if (how === 'cut') cut()
      return { status: 503, body: '' }
    })
    const { client } = await setUp(script)
    let shown = 0
    const onUserCode = () => {
      shown += 1
    }
    const { manager } = client(deviceCode({ clientId: 'tv', onUserCode }))
    await manager.credential()
    expect(shown).toBe(1)
  },
)

test('a caller who aborts during a step-up does not prevent the next one', async () => {
  const { client, world } = await setUp({
    token: rotating,
    challenge: () => 'scope="read"',
    mcp: (token, request) =>
      request.body.includes('admin') && token === 'access-1' ? insufficient('admin') : undefined,
  })
  let hold = false
  const controller = new AbortController()
  const { call } = client(
    authorizationCode({
      onAuthorizationUrl: (url) => {
        if (!hold) return fetch(url)
        controller.abort(new Error('left'))
        return undefined
      },
    }),
  )
  await call()
  hold = true
  await expect(call({ body: '{"tool":"admin"}', signal: controller.signal })).rejects.toThrow(
    'left',
  )
  hold = false
  expect((await call({ body: '{"tool":"admin"}' })).status).toBe(200)
  expect(world.logins().length).toBeGreaterThan(1)
})

test('two concurrent 403s with different scopes cost at most two further logins', async () => {
  const { client, world } = await setUp({
    token: (_params, count) => ({ body: tokenAnswer(count) }),
    challenge: () => 'scope="read"',
    mcp: (token, request) => {
      const wanted = /"tool":"(\w+)"/.exec(request.body)?.[1]
      if (wanted === undefined) return undefined
      const login = world_.logins()[Number(token.slice('access-'.length)) - 1]
      return login?.['scope']?.split(' ').includes(wanted) === true
        ? undefined
        : insufficient(wanted)
    },
  })
  const world_: World = world
  const { call } = client(authorizationCode(browser))
  await call()
  const answers = await Promise.all([
    call({ body: '{"tool":"x"}' }),
    call({ body: '{"tool":"y"}' }),
  ])
  const later = await Promise.all([call({ body: '{"tool":"x"}' }), call({ body: '{"tool":"y"}' })])
  expect([...answers, ...later].map(({ status }) => status)).toEqual([200, 200, 200, 200])
  expect(world.logins().length).toBeLessThanOrEqual(3)
})

test('two concurrent logins at one issuer keep their own secrets', async () => {
  const store: CredentialStore = memoryStore()
  let registered = 0
  const { clock, client, world } = await setUp({
    metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_basic'] }),
    register: (body) => {
      registered += 1
      return {
        status: 201,
        body: { ...body, client_id: `client-${registered}`, client_secret: `secret-${registered}` },
      }
    },
    token: (_params, count, request) =>
      request.headers.authorization === undefined
        ? { status: 401, body: { error: 'invalid_client' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const one = client(authorizationCode(browser), { store, account: 'one' })
  const two = client(authorizationCode(browser), { store, account: 'two' })
  await Promise.all([one.manager.credential(), two.manager.credential()])
  expect(registered).toBe(2)
  clock.advance(3_700_000)
  const answers = await Promise.all([one.failure(), two.failure()])
  expect(answers).toMatchObject([{ status: 200 }, { status: 200 }])
  expect(world.logins()).toHaveLength(2)
})

test('a token of one client is not used by another one after a restart', async () => {
  const store = memoryStore()
  const { client, world } = await setUp({})
  const make = (clientId: string) =>
    clientCredentials({ clientId, clientSecret: 'secret', issuer: world.issuer })
  await client(make('a'), { store }).call()
  await client(make('b'), { store })
    .call()
    .catch(() => {})
  expect(
    world.mcpServer.requests
      .filter((r) => r.headers.authorization !== undefined)
      .map((r) => r.headers.authorization),
  ).not.toEqual(['Bearer access-1', 'Bearer access-1'])
})

test('a redirect URI with a query is rejected, because the token request would lack it', () => {
  const redirectUri = 'https://app.example.com/callback?tenant=1'
  const onAuthorizationUrl = () => undefined
  expect(() => authorizationCode({ redirectUri, onAuthorizationUrl })).toThrow(
    'must not have a query',
  )
})

test('a token endpoint that is not in normal form is recognized', async () => {
  const { client } = await setUp({
    metadata: ({ issuer }) => ({ token_endpoint: `${issuer.replace('http:', 'HTTP:')}/token` }),
    token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: null }) }),
  })
  const { call } = client(authorizationCode(browser))
  expect((await call()).status).toBe(200)
})

test('all(): a failure of another part does not start a login', async () => {
  const { clock, client, world } = await setUp({ token: rotating })
  let broken = true
  const tenant: CredentialProvider = {
    name: 'tenant',
    async acquire() {
      if (broken) throw new Error('the tenant service is down')
      return { apply: ({ headers: own }) => own.set('X-Tenant', 'a') }
    },
  }
  const { call, failure } = client(all(authorizationCode(browser), tenant))
  await failure()
  expect(world.logins()).toEqual([])
  broken = false
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
  expect(world.logins()).toHaveLength(1)
})

test('a registration that the server rate-limits may be tried again', async () => {
  const { client } = await setUp({
    register: () => ({ status: 429, headers: { 'retry-after': '5' }, body: {} }),
  })
  expect(await client(authorizationCode(browser)).failure()).toMatchObject({
    code: 'rate_limited',
    retryable: true,
    retryAfter: 5,
  })
})

test('an untrusted certificate proves that the refresh token was not sent', async () => {
  let broken = false
  let tries = 0
  const { clock, client } = await setUp({ token: rotating })
  const tls: typeof fetch = async (input, init) => {
    if (broken && String(init?.body ?? '').includes('refresh_token=')) {
      tries += 1
      throw new TypeError('fetch failed', {
        cause: Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' }),
      })
    }
    return fetch(input, init)
  }
  const { call, failure } = client(authorizationCode(browser), { fetch: tls })
  await call()
  clock.advance(3_700_000)
  broken = true
  expect(await failure()).toMatchObject({ code: 'network' })
  expect(tries).toBe(1)
})

test('savedLogin() uses a login that is bound to a key without an option', async () => {
  const store = memoryStore()
  const token: Script['token'] = (_params, count) => ({
    body: tokenAnswer(count, { token_type: 'DPoP', refresh_token: `refresh-${count}` }),
  })
  const { client, clock, world } = await setUp({ token })
  await client(authorizationCode({ ...browser, dpop: true }), { store }).call()
  const saved = client(savedLogin(), { store })
  expect((await saved.call()).status).toBe(200)
  clock.advance(3_700_000)
  expect((await saved.call()).status).toBe(200)
  const sent = world.mcpServer.requests.flatMap(({ headers }) => headers.authorization ?? [])
  expect(sent.slice(-2)).toEqual(['DPoP access-1', 'DPoP access-2'])
})

test('a registration at the same origin is sent without the credential, in whichever form it comes', async () => {
  const { client, world } = await setUp({ token: rotating })
  const { send, call } = client(authorizationCode(browser))
  await call()
  const body = JSON.stringify({ redirect_uris: ['http://127.0.0.1/callback'] })
  const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
  await send(`${world.mcp}/register`, { ...init, body })
  await send(new Request(`${world.mcp}/register`, { ...init, body }))
  await send(`${world.mcp}/register`, { ...init, body: new TextEncoder().encode(body) })
  expect(
    world.mcpServer.requests
      .filter(({ url }) => url === '/register')
      .map(({ headers: { authorization } }) => authorization),
  ).toEqual([undefined, undefined, undefined])
})

test('a tool that always responds with 401 does not open a browser at every call', async () => {
  const { client, world } = await setUp({
    mcp: (_token, request) => (request.body.includes('bad') ? { status: 401 } : undefined),
  })
  const { call } = client(authorizationCode(browser))
  for (let round = 0; round < 10; round += 1) {
    expect((await call()).status).toBe(200)
    expect((await call({ body: '{"tool":"bad"}' })).status).toBe(401)
  }
  expect(world.logins().length).toBeLessThanOrEqual(5)
})

test('a logout and a login in one process take effect in the others', async () => {
  const store = memoryStore()
  const dead = new Set<string>()
  const { clock, client, world, redeemed } = await setUp({
    token: (params, count) =>
      dead.has(params.get('refresh_token') ?? '')
        ? { status: 400, body: { error: 'invalid_grant' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const one = client(authorizationCode(browser), { store })
  const two = client(authorizationCode(browser), { store })
  await one.call()
  clock.advance(3_700_000)
  await two.call()
  expect(redeemed()).toEqual(['authorization_code', 'refresh-1'])
  dead.add('refresh-1').add('refresh-2')
  await one.manager.logout()
  await one.manager.login()
  expect(world.logins()).toHaveLength(2)
  clock.advance(3_700_000)
  await two.call()
  const record = await store.get(`${world.url} | default`)
  expect({ logins: world.logins().length, redeemed: redeemed(), refused: record?.refused }).toEqual(
    {
      logins: 2,
      redeemed: ['authorization_code', 'refresh-1', 'authorization_code', 'refresh-3'],
      refused: undefined,
    },
  )
})

test('a process without a user does not disturb the new login of another process', async () => {
  const store = memoryStore()
  const dead = new Set<string>()
  const { clock, client, world } = await setUp({
    token: (params, count) =>
      dead.has(params.get('refresh_token') ?? '')
        ? { status: 400, body: { error: 'invalid_grant' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const one = client(authorizationCode(browser), { store })
  const two = client(savedLogin(), { store })
  await one.call()
  clock.advance(3_700_000)
  await two.call()
  dead.add('refresh-1').add('refresh-2')
  await one.manager.logout()
  await one.manager.login()
  clock.advance(3_400_000)
  const answer = await two.failure()
  clock.advance(300_000)
  const later = await two.failure()
  const record = await store.get(`${world.url} | default`)
  expect({
    answer: answer.status,
    later: later.status,
    kept: record !== undefined,
    refused: record?.refused,
  }).toEqual({
    answer: 200,
    later: 200,
    kept: true,
    refused: undefined,
  })
})

test('a login in a new process is adopted by a process that has renewed several times', async () => {
  const store = memoryStore()
  let refuse = false
  const { clock, client } = await setUp({
    token: (params, count) =>
      refuse && params.has('refresh_token')
        ? { status: 400, body: { error: 'invalid_grant' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  await client(authorizationCode(browser), { store }).call()
  const waiting = client(savedLogin(), { store })
  clock.advance(3_700_000)
  expect((await waiting.call()).status).toBe(200)
  refuse = true
  clock.advance(3_700_000)
  expect(await waiting.failure()).toMatchObject({ code: 'login_required' })
  await client(authorizationCode(browser), { store }).call()
  clock.advance(2000)
  expect(await waiting.failure()).toMatchObject({ status: 200 })
})

test('the clock offset of a 401 is used for DPoP proofs', async () => {
  const skew = 3_600_000
  const { client, world } = await setUp({
    token: (_params, count) => ({
      body: tokenAnswer(count, { token_type: 'DPoP', refresh_token: `r-${count}` }),
    }),
    mcp: (_token, request) => {
      const proof = String(request.headers['dpop']).split('.')[1] ?? ''
      const { iat } = JSON.parse(Buffer.from(proof, 'base64url').toString()) as { iat: number }
      const server = Date.now() + skew
      return Math.abs(server / 1000 - iat) < 300
        ? undefined
        : {
            status: 401,
            headers: {
              date: new Date(server).toUTCString(),
              'www-authenticate': 'DPoP error="invalid_dpop_proof"',
            },
          }
    },
  })
  const { call } = client(authorizationCode({ ...browser, dpop: true }), { now: Date.now })
  expect((await call()).status).toBe(200)
  expect(world.logins()).toHaveLength(1)
})

test('a device login that is aborted releases the lock of the record immediately', async () => {
  const store = memoryStore()
  const script = device(600, () => ({ status: 400, body: { error: 'slow_down' } }))
  const { client, world } = await setUp(script)
  const leave = new AbortController()
  const { manager } = client(deviceCode({ clientId: 'tv', onUserCode: () => {} }), { store })
  const login = manager.credential({ signal: leave.signal })
  await expect.poll(() => world.tokenRequests().length).toBe(2)
  leave.abort(new Error('left'))
  await expect(login).rejects.toThrow('left')
  expect(await store.lock(`${world.url} | default`, async () => 'free')).toBe('free')
})

test('a step-up that the user declines keeps the stored login', async () => {
  const store = memoryStore()
  let logins = 0
  const { clock, client, world } = await setUp({
    token: rotating,
    redirect: (target) => {
      logins += 1
      if (logins === 2) {
        target.searchParams.delete('code')
        target.searchParams.set('error', 'access_denied')
      }
    },
    mcp: (_token, request) => (request.body.includes('admin') ? insufficient('admin') : undefined),
  })
  const { call } = client(authorizationCode(browser), { store })
  expect((await call()).status).toBe(200)
  await call({ body: '{"tool":"admin"}' }).catch(() => {})
  clock.advance(3_700_000)
  expect((await call()).status).toBe(200)
  expect(world.tokenRequests().at(-1)).toMatchObject({ refresh_token: 'refresh-1' })
})

test('a record with times in the future is renewed in the background', async () => {
  const store = memoryStore()
  const { clock, client, world } = await setUp({ token: rotating })
  await client(authorizationCode(browser), { store }).call()
  clock.advance(-86_400_000)
  const next = client(authorizationCode(browser), { store })
  expect((await next.call()).status).toBe(200)
  expect((await next.call()).status).toBe(200)
  await expect.poll(() => world.tokenRequests().length).toBe(2)
})

test('a missing nonce on a stream does not count as a rejected token', async () => {
  const { client, world } = await setUp({
    token: (_params, count) => ({ body: tokenAnswer(count, { token_type: 'DPoP' }) }),
    mcp: (_token, request) => {
      const proof = String(request.headers['dpop']).split('.')[1] ?? ''
      const { nonce } = JSON.parse(Buffer.from(proof, 'base64url').toString()) as { nonce?: string }
      return nonce === 'n-1'
        ? undefined
        : {
            status: 401,
            headers: { 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'n-1' },
          }
    },
  })
  const { call, manager } = client(authorizationCode({ ...browser, dpop: true }))
  await manager.login()
  const body = new Blob(['{}']).stream()
  expect((await call({ body, duplex: 'half' } as RequestInit)).status).toBe(401)
  expect((await call()).status).toBe(200)
  expect(world.logins()).toHaveLength(1)
})

test('a request that waits for a background renewal may still open the browser', async () => {
  const gate = deferred<void>()
  let seen = 0
  const { clock, client, world } = await setUp({
    token: (params, count) =>
      params.has('refresh_token')
        ? { status: 400, body: { error: 'invalid_grant' } }
        : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) },
  })
  const slow: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    if (String(init?.body ?? '').includes('refresh_token=')) {
      seen += 1
      await gate.promise
    }
    return response
  }
  const { call } = client(authorizationCode(browser), { fetch: slow })
  await call()
  clock.advance(3_400_000)
  expect((await call()).status).toBe(200)
  await expect.poll(() => seen).toBe(1)
  clock.advance(300_000)
  const waiting = call().then(
    ({ status }) => status,
    (thrown: Error) => thrown.message,
  )
  await settle()
  gate.resolve()
  expect(await waiting).toBe(200)
  expect(world.logins()).toHaveLength(2)
})

test('temporarily missing resource metadata does not end a login', async () => {
  let gone = false
  const { clock, client, redeemed, world } = await setUp({
    token: rotating,
    resourceWellKnown: (path, { mcp, issuer }) =>
      gone || path !== '/.well-known/oauth-protected-resource/mcp'
        ? { status: 404 }
        : { body: { resource: `${mcp}/mcp`, authorization_servers: [issuer] } },
  })
  const { call } = client(authorizationCode(browser))
  await call()
  gone = true
  clock.advance(3_700_000)
  const answer = await call().then(
    ({ status }) => status,
    (thrown: Error) => thrown.message,
  )
  expect({ answer, redeemed: redeemed() }).toEqual({
    answer: 200,
    redeemed: ['authorization_code', 'refresh-1'],
  })
  expect(world.mcpPaths()).not.toContain('/register')
})

test('an additional authorization server before that of the login does not end a login', async () => {
  let more = false
  const { clock, client, redeemed } = await setUp({
    token: rotating,
    resource: ({ issuer }) => ({
      authorization_servers: more ? ['http://127.0.0.1:9/other', issuer] : [issuer],
    }),
  })
  const { call } = client(authorizationCode(browser))
  await call()
  more = true
  clock.advance(3_700_000)
  const answer = await call().then(
    ({ status }) => status,
    (thrown: Error) => thrown.message,
  )
  expect({ answer, redeemed: redeemed() }).toEqual({
    answer: 200,
    redeemed: ['authorization_code', 'refresh-1'],
  })
})

test('an empty scope in a token response is ignored in a step-up', async () => {
  const { client, world } = await setUp({
    token: (_params, count) => ({ body: tokenAnswer(count, { scope: '' }) }),
    challenge: () => 'scope="read"',
    mcp: (token) => (token === 'access-1' ? insufficient('write') : undefined),
  })
  await client(authorizationCode(browser)).call()
  expect(world.logins().map(({ scope }) => scope)).toEqual(['read', 'read write'])
})

test('a step-up that failed temporarily may be tried again after a short time', async () => {
  let busy = false
  const { client, clock, world } = await setUp({
    token: (_params, count) =>
      busy ? { status: 503, body: '' } : { body: tokenAnswer(count, { refresh_token: 'r' }) },
    mcp: (token, request) =>
      request.body.includes('admin') && token === 'access-1' ? insufficient('admin') : undefined,
  })
  const { call } = client(authorizationCode(browser))
  await call()
  busy = true
  await call({ body: '{"tool":"admin"}' }).catch(() => {})
  busy = false
  clock.advance(61_000)
  expect((await call({ body: '{"tool":"admin"}' })).status).toBe(200)
  expect(world.logins()).toHaveLength(3)
})

test('a server that is temporarily busy at a login does not require another one', async () => {
  let logins = 0
  const { client, clock } = await setUp({
    token: rotating,
    redirect: (target) => {
      logins += 1
      if (logins === 1) {
        target.searchParams.delete('code')
        target.searchParams.set('error', 'temporarily_unavailable')
      }
    },
  })
  const { failure, call } = client(authorizationCode(browser))
  expect(await failure()).toMatchObject({ code: 'server_error', retryable: true })
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
})

test('a secret that a server repeats is not shown, however its JSON escapes it', async () => {
  const { client, world } = await setUp({
    token: () => ({
      status: 400,
      body: '{"error":"invalid_scope","error_description":"bad token ab\\/cd\\/my-own-secret"}',
    }),
  })
  const { failure } = client(
    refreshToken({ clientId: 'agent', issuer: world.issuer, refreshToken: 'ab/cd/my-own-secret' }),
  )
  expect(inspect(await failure())).not.toContain('my-own-secret')
})

test('a stored login whose token has expired is used at a server that accepts requests without a credential', async () => {
  const store = memoryStore()
  const { clock, client } = await setUp({ token: rotating })
  await client(authorizationCode(browser), { store }).call()
  clock.advance(3_700_000)
  const seen: (string | null)[] = []
  const open: typeof fetch = async (input, init) => {
    if (new URL(String(input)).pathname !== '/mcp') return fetch(input, init)
    seen.push(new Headers(init?.headers).get('authorization'))
    return new Response('{}')
  }
  const next = client(authorizationCode(browser), { store, fetch: open })
  await next.call()
  await next.call()
  expect(seen.slice(-2)).toEqual(['Bearer access-2', 'Bearer access-2'])
})

test('a device login that was abandoned releases the lock of the record', async () => {
  const store = memoryStore()
  const script = device(600, () => undefined)
  const { client, world } = await setUp(script)
  const { manager } = client(
    deviceCode({ clientId: 'tv', onUserCode: () => new Promise(() => {}) }),
    { store, acquireTimeout: 0.3 },
  )
  await expect(manager.credential()).rejects.toMatchObject({ code: 'timeout' })
  expect(await store.lock(`${world.url} | default`, async () => 'free')).toBe('free')
})

test('a secret that is never returned holds the lock no longer than the acquisition may take', async () => {
  const store = memoryStore()
  const { client, world } = await setUp({ token: rotating })
  const { manager } = client(
    clientCredentials({
      clientId: 'a',
      clientSecret: () => new Promise<string>(() => {}),
      issuer: world.issuer,
    }),
    { store, acquireTimeout: 0.3 },
  )
  await expect(manager.credential()).rejects.toMatchObject({ code: 'timeout' })
  expect(await store.lock(`${world.url} | default`, async () => 'free')).toBe('free')
})

test('a wrong secret of a configured client drops no registration', async () => {
  const store = memoryStore()
  const { client, world } = await setUp({
    token: (_params, count, request) =>
      request.headers.authorization === undefined
        ? { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
        : { status: 401, body: { error: 'invalid_client' } },
  })
  await client(authorizationCode(browser), { store }).manager.credential()
  expect(await store.list()).toContain(`registration ${world.issuer}`)
  const byHand = authorizationCode({
    ...browser,
    clientId: 'by-hand',
    clientSecret: 'wrong-secret',
    issuer: world.issuer,
  })
  await client(byHand, { store, account: 'other' }).failure()
  expect(await store.list()).toContain(`registration ${world.issuer}`)
})

test('firstAvailable(): a user who declined is not asked again automatically', async () => {
  const { client, clock, world } = await setUp({
    token: rotating,
    redirect: (target) => {
      target.searchParams.delete('code')
      target.searchParams.set('error', 'access_denied')
    },
  })
  const { failure } = client(firstAvailable(authorizationCode(browser)))
  const first = await failure()
  clock.advance(61_000)
  await failure()
  expect(world.logins()).toHaveLength(1)
  expect(first).toMatchObject({ code: 'login_required' })
})
