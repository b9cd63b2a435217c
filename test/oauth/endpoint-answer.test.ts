import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { LoginRequiredError } from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  deviceCode,
  enterpriseManaged,
  jwtBearer,
  savedLogin,
} from '../../src/oauth/index.ts'
import { type Answer, type Script, tokenAnswer } from '../support/oauth-world.ts'
import { storedClients } from '../support/stored-clients.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** Non-standard error bodies; the test sets the status. */
const bodies: readonly (readonly [string, Omit<Answer, 'status'>])[] = [
  ['nothing, without a content type', { type: null, body: '' }],
  ['nothing, as JSON', { body: '' }],
  ['plain text', { type: 'text/plain', body: 'token is dead' }],
  ['JSON as text/plain', { type: 'text/plain', body: '{"message":"dead"}' }],
  ['a wrong charset', { type: 'application/json; charset=utf-16', body: '{"e":1}' }],
  ['bytes without a valid charset', { body: new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x22]) }],
  ['half of its JSON', { body: '{"error":"invalid_gr' }],
  ['a connection that is closed', { body: '{"error":"invalid_gr', cut: true }],
  ['a list', { body: ['invalid_grant'] }],
  ['null', { body: 'null' }],
  ['a number', { body: '7' }],
  ['an object without a code', { body: { message: 'dead' } }],
  ['a code that is an object', { body: { error: { code: 7 } } }],
  ['the non-standard code invalid_code', { body: { error: 'invalid_code' } }],
  ['the non-standard code scope_invalid', { body: { error: 'scope_invalid' } }],
  ['the non-standard code TOKEN-42 !', { body: { error: 'TOKEN-42 !' } }],
  ['2 MB', { type: 'text/html', body: 'x'.repeat(2_000_000) }],
  ['a challenge', { type: null, body: '', headers: { 'www-authenticate': 'Basic realm="x"' } }],
]

/** An HTML page, which a proxy may have sent: its status counts only if no proxy uses it. */
const page: (typeof bodies)[number] = [
  'HTML',
  { type: 'text/html', body: '<html><h1>Error</h1></html>' },
]

/** Issues a login with a refresh token, and responds to its use with `answer`. */
const refusingRefresh =
  (answer: Answer): NonNullable<Script['token']> =>
  (params, count) =>
    params.get('grant_type') === 'refresh_token'
      ? answer
      : { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }

describe.each(bodies)('an error response with %s', (_what, body) => {
  test('and status 400 to a refresh ends the login, and login() logs in again', async () => {
    const token = refusingRefresh({ ...body, status: 400 })
    const { world, clock, client } = await storedClients({ token })
    const { send, call } = client(authorizationCode(browser))
    await call()
    clock.advance(3_700_000)

    const error = await client(savedLogin()).failure()
    expect(error).toBeInstanceOf(LoginRequiredError)
    expect(error).toMatchObject({ reason: 'grant_rejected', status: 400, retryable: false })
    await send.login()
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(2)
  })

  test('and status 400 to an assertion is a rejected grant, which is not sent again', async () => {
    const { world, client } = await storedClients({ token: () => ({ ...body, status: 400 }) })
    const { failure } = client(
      jwtBearer({ clientId: 'job', issuer: world.issuer, assertion: 'platform-token' }),
    )
    expect(await failure()).toMatchObject({ code: 'invalid_grant', retryable: false })
    expect(await failure()).toMatchObject({ code: 'invalid_grant' })
    expect(world.tokenRequests()).toHaveLength(1)
  })

  test('and status 400 to a poll ends the device login', async () => {
    const { client } = await storedClients({
      metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
      token: (params) =>
        params.has('device_code') ? { ...body, status: 400 } : { body: deviceAnswer },
    })
    const { failure } = client(deviceCode({ clientId: 'tv', onUserCode: () => {} }))
    expect(await failure()).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
  })

  test('and status 400 after a crash says that the new refresh token was lost', async () => {
    const token = refusingRefresh({ ...body, status: 400 })
    const { clock, client, store } = await storedClients({ token })
    await client(authorizationCode(browser)).call()
    const key = (await store.list()).find((name) => !name.startsWith('registration')) ?? ''
    const record = await store.get(key)
    if (record !== undefined) {
      await store.set(key, { ...record, pending: { at: clock.now(), by: '7' } })
    }
    clock.advance(3_700_000)
    expect(await client(savedLogin()).failure()).toMatchObject({ reason: 'rotation_lost' })
  })
})

describe.each(bodies)('an error response with %s', (_what, body) => {
  test.each([401, 403])('and status %d means that the client is rejected, once', async (status) => {
    const { world, client } = await storedClients({ token: () => ({ ...body, status }) })
    const { failure } = client(
      clientCredentials({ clientId: 'a', clientSecret: 'wrong', issuer: world.issuer }),
    )
    const expected = { code: 'invalid_client', status, retryable: false }
    for (let attempt = 0; attempt < 3; attempt += 1) expect(await failure()).toMatchObject(expected)
    expect(world.tokenRequests()).toHaveLength(1)
  })
})

describe.each([...bodies, page])('an error response with %s', (_what, body) => {
  test.each([
    [429, 'rate_limited'],
    [503, 'server_error'],
  ])('and status %d respects the time that the server asks for', async (status, code) => {
    const headers = { ...body.headers, 'retry-after': '30' }
    const { clock, client } = await storedClients({
      token: refusingRefresh({ ...body, status, headers }),
    })
    await client(authorizationCode(browser)).call()
    clock.advance(3_700_000)
    expect(await client(savedLogin()).failure()).toMatchObject({
      code,
      status,
      retryable: true,
      retryAfter: 30,
    })
  })

  test.each([
    [400, { code: 'registration_failed', retryable: false }],
    [403, { code: 'registration_failed', retryable: false }],
    [429, { code: 'rate_limited', retryable: true, retryAfter: 30 }],
    [503, { code: 'server_error', retryable: true, retryAfter: 30 }],
  ])('and status %d to a registration says so', async (status, expected) => {
    const headers = { ...body.headers, 'retry-after': '30' }
    const { client } = await storedClients({ register: () => ({ ...body, status, headers }) })
    expect(await client(authorizationCode(browser)).failure()).toMatchObject(expected)
  })

  test.each([400, 401, 503])(
    'and status %d to a revocation does not prevent a logout',
    async (status) => {
      const { client, store } = await storedClients({
        metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
        token: (params, count) =>
          params.has('token')
            ? { ...body, status }
            : { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) },
      })
      const { send, call } = client(authorizationCode(browser))
      await call()
      const reason = expect.stringMatching(
        new RegExp(
          `^authorizationCode: 127\\.0\\.0\\.1:\\d+ responded with ${status}[a-zA-Z_ ]*\\.(?: (?:Contact|Check|The response may come from a proxy) |$)`,
        ),
      )
      expect(await send.logout()).toEqual({ revoked: false, reason })
      expect((await store.list()).filter((key) => !key.startsWith('registration'))).toEqual([])
    },
  )
})

const deviceAnswer = {
  device_code: 'device-1',
  user_code: 'WDJB-MJHT',
  verification_uri: 'http://127.0.0.1/activate',
  expires_in: 600,
  interval: 0.01,
}

/** A stored login. The server responds to its renewal with `answer`, and correctly after `mend()`. */
async function renewal(answer: Answer, more: { readonly clientId?: string } = {}) {
  let isMended = false
  const parts = await storedClients({
    token: (params, count) =>
      params.get('grant_type') === 'refresh_token' && !isMended
        ? answer
        : { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) },
  })
  await parts.client(authorizationCode({ ...browser, ...more })).call()
  parts.clock.advance(3_700_000)
  const saved = parts.client(savedLogin(more))
  return {
    ...parts,
    ...saved,
    mend() {
      isMended = true
      parts.clock.advance(61_000)
    },
  }
}

const ownErrors = (error: string): readonly Answer[] => [
  { status: 200, body: { error, error_description: 'See the documentation.' } },
  { status: 400, body: { error, error_description: 'See the documentation.' } },
]

describe('a non-standard code', () => {
  test.each([
    ['incorrect_client_credentials', 'invalid_client'],
    ['application_suspended', 'invalid_client'],
    ['unverified_user_email', 'server_error'],
    ['own_invalid_client', 'invalid_client'],
    ['ClientNotFound', 'invalid_client'],
  ])('%s does not count as a rejected grant, and the login is kept', async (error, code) => {
    for (const answer of ownErrors(error)) {
      const { failure, call, mend, world } = await renewal(answer, { clientId: 'by-hand' })
      expect(await failure()).toMatchObject({
        code,
        retryable: false,
        serverDescription: `${error}: See the documentation.`,
      })
      mend()
      expect((await call()).status).toBe(200)
      expect(world.logins()).toHaveLength(1)
    }
  })

  test.each(['bad_refresh_token', 'bad_verification_code'])(
    '%s is a rejected grant, whatever the status',
    async (error) => {
      for (const answer of [...ownErrors(error), { status: 401, body: { error } }]) {
        const { failure } = await renewal(answer, { clientId: 'by-hand' })
        expect(await failure()).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
      }
    },
  )

  test('that names the client is sent once', async () => {
    const { world, client } = await storedClients({
      token: () => ({ status: 200, body: { error: 'incorrect_client_credentials' } }),
    })
    const { failure } = client(
      jwtBearer({ clientId: 'job', issuer: world.issuer, assertion: 'platform-token' }),
    )
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect(await failure()).toMatchObject({ code: 'invalid_client', retryable: false })
    }
    expect(world.tokenRequests()).toHaveLength(1)
  })
})

describe('an HTML page instead of an error', () => {
  const pages: readonly Answer[] = [400, 401, 403, 422].flatMap((status) => [
    { ...page[1], status },
    { status, type: null, body: '\n <?xml version="1.0"?><error/>' },
  ])

  test('does not reject a refresh token, so the login is kept', async () => {
    for (const answer of pages) {
      const { failure, call, mend, world, store } = await renewal(answer)
      const error = await failure()
      const { status } = answer
      expect(error).toMatchObject({ code: 'server_error', status, retryable: true })
      expect(error.message).toContain('a page of HTML')
      expect(error.remedy).toContain('proxy')
      expect(await store.list()).toContain(`registration ${world.issuer}`)
      mend()
      expect((await call()).status).toBe(200)
      expect(world.logins()).toHaveLength(1)
    }
  })

  test('does not end logins of other users and processes that share the registration', async () => {
    for (const status of [401, 403]) {
      const { client, failure, mend, world } = await renewal({ ...page[1], status })
      const other = client(savedLogin())
      expect(await failure()).toMatchObject({ code: 'server_error' })
      mend()
      expect((await other.call()).status).toBe(200)
      expect(world.logins()).toHaveLength(1)
    }
  })

  test('does not reject the secret of a client', async () => {
    for (const answer of pages) {
      let isMended = false
      const { world, client, clock } = await storedClients({
        token: (_params, count) => (isMended ? { body: tokenAnswer(count) } : answer),
      })
      const { call, failure } = client(
        clientCredentials({ clientId: 'a', clientSecret: 'b', issuer: world.issuer }),
      )
      expect(await failure()).toMatchObject({ code: 'server_error', retryable: true })
      expect(world.tokenRequests()).toHaveLength(1)
      isMended = true
      clock.advance(61_000)
      expect((await call()).status).toBe(200)
    }
  })

  test('does not reject an assertion', async () => {
    for (const answer of pages) {
      const { world, client } = await storedClients({ token: () => answer })
      const { failure } = client(
        jwtBearer({ clientId: 'job', issuer: world.issuer, assertion: 'platform-token' }),
      )
      expect(await failure()).toMatchObject({ code: 'server_error', retryable: true })
    }
  })

  test('does not end a device login', async () => {
    let polls = 0
    const { client } = await storedClients({
      metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
      token: (params, count) => {
        if (!params.has('device_code')) return { body: deviceAnswer }
        polls += 1
        return polls === 1 ? { ...page[1], status: 400 } : { body: tokenAnswer(count) }
      },
    })
    const { call } = client(deviceCode({ clientId: 'tv', onUserCode: () => {} }))
    expect((await call()).status).toBe(200)
    expect(polls).toBe(2)
  })
})

test.each([
  [
    'a page with status 403, as from a firewall,',
    { status: 403, type: 'text/html', body: '<p>no' },
  ],
  ['a page with status 503', { status: 503, type: 'text/html', body: '<p>no' }],
  ['a response that is not JSON', { status: 200, type: 'text/html', body: '<p>sign in' }],
])('%s instead of a renewal response costs no login and no registration', async (_what, answer) => {
  let isUp = true
  const { world, clock, client, store } = await storedClients({
    token: (_params, count) =>
      isUp ? { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) } : answer,
  })
  await client(authorizationCode(browser)).call()
  const { call, failure } = client(savedLogin())
  clock.advance(3_700_000)
  isUp = false
  expect((await failure()).code).not.toBe('login_required')
  expect(await store.list()).toContain(`registration ${world.issuer}`)
  isUp = true
  clock.advance(61_000)
  expect((await call()).status).toBe(200)
  expect(world.logins()).toHaveLength(1)
})

test.each([401, 403])(
  'login() logs in again after a %d without a body to a refresh',
  async (status) => {
    const { world, clock, client } = await storedClients({
      token: refusingRefresh({ status, type: null, body: '' }),
    })
    const { send, call } = client(authorizationCode(browser))
    await call()
    clock.advance(3_700_000)
    await send.login()
    expect((await call()).status).toBe(200)
    expect(world.logins()).toHaveLength(2)
  },
)

test('an error names the server that responded, also if a grant uses two servers', async () => {
  const idp = await storedClients({ token: () => ({ status: 400, body: '' }) })
  const { world, client } = await storedClients()
  const { failure } = client(
    enterpriseManaged({
      clientId: 'wiki',
      clientSecret: 'x',
      issuer: world.issuer,
      identityProvider: { issuer: idp.world.issuer, clientId: 'agent', clientSecret: 'y' },
      subjectToken: 'id-token',
    }),
  )
  const { code, message } = await failure()
  expect(code).toBe('invalid_grant')
  expect(message).toContain(`${new URL(idp.world.issuer).host} responded with 400`)
  expect(message).not.toContain(new URL(world.issuer).host)
})

describe('a registered code', () => {
  test.each([
    'invalid_scope',
    'invalid_request',
    'invalid_target',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_client',
  ])('%s keeps its meaning, whatever the content type and the status', async (error) => {
    for (const status of [400, 401, 403, 200]) {
      const token = refusingRefresh({ status, type: 'text/html', body: JSON.stringify({ error }) })
      const { clock, client } = await storedClients({ token })
      await client(authorizationCode({ ...browser, clientId: 'by-hand' })).call()
      clock.advance(3_700_000)
      expect(await client(savedLogin()).failure()).toMatchObject({ code: error, retryable: false })
    }
  })

  test('invalid_grant means a rejected grant with the status 403 too', async () => {
    const token = refusingRefresh({ status: 403, body: { error: 'invalid_grant' } })
    const { clock, client } = await storedClients({ token })
    await client(authorizationCode(browser)).call()
    clock.advance(3_700_000)
    expect(await client(savedLogin()).failure()).toMatchObject({ reason: 'grant_rejected' })
  })

  test('authorization_pending and slow_down continue the polling, also as text with status 200', async () => {
    let polls = 0
    const { client, world } = await storedClients({
      metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
      token: (params, count) => {
        if (!params.has('device_code')) return { type: 'text/html', body: deviceAnswer }
        polls += 1
        const pending = JSON.stringify({ error: 'authorization_pending' })
        if (polls === 1) return { status: 200, type: 'text/plain', body: pending }
        if (polls === 2) return { status: 403, type: null, body: pending }
        return { body: tokenAnswer(count) }
      },
    })
    const { call } = client(deviceCode({ clientId: 'tv', onUserCode: () => {} }))
    expect((await call()).status).toBe(200)
    expect(world.tokenRequests()).toHaveLength(4)
  })

  test('use_dpop_nonce leads to a request with the nonce, even if the body is not JSON', async () => {
    let asked = 0
    const { client, world } = await storedClients({
      token: () => {
        asked += 1
        if (asked > 1) return { body: tokenAnswer(asked, { token_type: 'DPoP' }) }
        const headers = { 'dpop-nonce': 'n-1', 'www-authenticate': 'DPoP error="use_dpop_nonce"' }
        return { status: 401, type: null, body: '', headers }
      },
    })
    const { issuer } = world
    const { call } = client(
      clientCredentials({ clientId: 'a', clientSecret: 's', issuer, dpop: true }),
    )
    expect((await call()).status).toBe(200)
    const proofs = world.authorizationServer.requests.map(({ headers }) => headers['dpop'])
    const claims = String(proofs.at(-1)).split('.')[1] ?? ''
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ nonce: 'n-1' })
  })
})

describe('a successful response is accepted', () => {
  test.each<[string, Omit<Answer, 'body'>]>([
    ['as text/html', { type: 'text/html' }],
    ['as text/plain', { type: 'text/plain;charset=iso-8859-1' }],
    ['as JSON of another charset', { type: 'application/json; charset=utf-16' }],
    ['without a content type', { type: null }],
    ['with status 201', { status: 201 }],
    ['with a challenge', { headers: { 'www-authenticate': 'Bearer' } }],
  ])('%s', async (_what, manner) => {
    const { client, world, clock } = await storedClients({
      metadata: ({ issuer }) => ({
        pushed_authorization_request_endpoint: `${issuer}/par/token`,
        require_pushed_authorization_requests: true,
      }),
      authorizeParameters: (parameters) => (parameters.has('request_uri') ? pushed : parameters),
      register: (body) => ({
        ...manner,
        status: 200,
        body: JSON.stringify({ ...body, client_id: 'registered-1' }),
      }),
      token: (params, count) => {
        if (params.has('response_type')) {
          pushed = params
          const body = JSON.stringify({ request_uri: 'urn:pushed:1', expires_in: 60 })
          return { ...manner, body }
        }
        const body = JSON.stringify(tokenAnswer(count, { refresh_token: `r-${count}` }))
        return { ...manner, body: `\ufeff${body}` }
      },
    })
    let pushed = new URLSearchParams()
    const { call } = client(authorizationCode(browser))
    expect((await call()).status).toBe(200)
    clock.advance(3_700_000)
    expect((await call()).status).toBe(200)
    expect(world.tokenRequests().at(-1)).toMatchObject({ refresh_token: 'r-2' })
  })
})

test('a device login accepts `verification_url` for `verification_uri`', async () => {
  const { verification_uri: address, ...others } = deviceAnswer
  const { client } = await storedClients({
    metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
    token: (params, count) =>
      params.has('device_code')
        ? { body: tokenAnswer(count) }
        : { body: { ...others, verification_url: address } },
  })
  const shown: string[] = []
  const onUserCode = ({ verificationUri }: { readonly verificationUri: URL }) => {
    shown.push(verificationUri.href)
  }
  const { call } = client(deviceCode({ clientId: 'tv', onUserCode }))
  expect((await call()).status).toBe(200)
  expect(shown).toEqual([address])
})

describe('an unusable response with status 200', () => {
  const unusable: readonly (readonly [string, Answer, RegExp])[] = [
    ['nothing', { type: null, body: '' }, /an empty body/],
    ['HTML', { type: 'text/html', body: '<!doctype html><p>x' }, /a page of HTML.*proxy/],
    ['half of its JSON', { body: '{"access_token":"super-secret' }, /truncated or malformed JSON/],
    ['text', { body: 'access_token=super-secret' }, /text that is not JSON/],
    ['a list', { body: '["super-secret"]' }, /JSON that is not an object/],
    ['no token', { body: { token_type: 'Bearer' } }, /no `access_token`/],
    ['no type', { body: { access_token: 'super-secret' } }, /no `token_type`/],
    [
      'another type',
      { body: { access_token: 'super-secret', token_type: 'mac' } },
      /neither Bearer nor DPoP/,
    ],
  ]

  test.each(unusable)('with %s says what is wrong, and what to do', async (_what, answer, text) => {
    const { client, world } = await storedClients({ token: () => answer })
    const { failure } = client(
      clientCredentials({ clientId: 'a', clientSecret: 'x', issuer: world.issuer }),
    )
    const error = await failure()
    expect(error).toMatchObject({ code: 'invalid_response', status: 200 })
    expect(error.message).toMatch(text)
    expect(error.message).toContain(new URL(world.issuer).host)
    expect(error.remedy).toBeDefined()
    expect(inspect(error, { depth: 10 })).not.toContain('super-secret')
  })

  test('has a different text for each cause', async () => {
    const texts = new Set<string>()
    for (const [, answer] of unusable) {
      const { client, world } = await storedClients({ token: () => answer })
      const { issuer } = world
      const provider = clientCredentials({ clientId: 'a', clientSecret: 'x', issuer })
      const { message } = await client(provider).failure()
      texts.add(message.replaceAll(new URL(issuer).host, 'host'))
    }
    expect(texts.size).toBe(unusable.length)
  })

  test('to a device login names the missing member', async () => {
    for (const member of ['device_code', 'user_code', 'verification_uri', 'expires_in']) {
      const { client } = await storedClients({
        metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
        token: () => ({ body: { ...deviceAnswer, [member]: undefined } }),
      })
      const { failure } = client(deviceCode({ clientId: 'tv', onUserCode: () => {} }))
      const error = await failure()
      expect(error).toMatchObject({ code: 'invalid_response' })
      expect(error.message).toContain(`no \`${member}\``)
    }
  })

  test('to a registration names the missing client_id', async () => {
    const { client } = await storedClients({
      register: () => ({ status: 201, body: { client: 'x' } }),
    })
    const error = await client(authorizationCode(browser)).failure()
    expect(error).toMatchObject({ code: 'registration_failed' })
    expect(error.message).toContain('no `client_id`')
  })
})

describe('a status line that a Response cannot represent', () => {
  test('with a reason phrase beyond Latin-1 loses neither a login nor a renewal', async () => {
    const { world, clock, client } = await storedClients({
      register: (body) => ({
        status: 201,
        reason: '已创建',
        body: { ...body, client_id: 'registered-1' },
      }),
      token: (_params, count) => ({
        reason: '成功',
        body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
      }),
      wellKnown: (path, { issuer }) =>
        path === '/.well-known/oauth-authorization-server'
          ? {
              reason: '好',
              body: {
                issuer,
                authorization_endpoint: `${issuer}/authorize`,
                token_endpoint: `${issuer}/token`,
                registration_endpoint: `${issuer}/register`,
                code_challenge_methods_supported: ['S256'],
              },
            }
          : undefined,
    })
    expect((await client(authorizationCode(browser)).call()).status).toBe(200)
    clock.advance(3_700_000)
    expect((await client(savedLogin()).call()).status).toBe(200)
    expect(world.logins()).toHaveLength(1)
    expect(world.tokenRequests()).toHaveLength(2)
  })

  test.each([600, 999])('with the number %d says that the server is busy', async (status) => {
    const { world, clock, client } = await storedClients({
      token: refusingRefresh({ status, body: '' }),
    })
    await client(authorizationCode(browser)).call()
    clock.advance(3_700_000)
    const expected = { code: 'server_error', status, retryable: true }
    expect(await client(savedLogin()).failure()).toMatchObject(expected)
    expect(world.tokenRequests()).toHaveLength(2)
  })

  test('is temporary for metadata and registrations too', async () => {
    const documents = await storedClients({ wellKnown: () => ({ status: 999, body: '' }) })
    const registrations = await storedClients({ register: () => ({ status: 999, body: '' }) })
    for (const { client } of [documents, registrations]) {
      const error = await client(authorizationCode(browser)).failure()
      expect(error).toMatchObject({ status: 999, retryable: true })
    }
  })
})
