import { describe, expect, test } from 'vitest'
import {
  authorizedFetch,
  type CredentialError,
  type CredentialProvider,
  generateSigningKey,
} from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  deviceCode,
  privateKeyJwt,
  savedLogin,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** Everything that a server has received. */
const seenBy = (world: World) =>
  world.authorizationServer.requests
    .map(
      ({ url, headers, body }) => `${decodeURIComponent(url)} ${JSON.stringify(headers)} ${body}`,
    )
    .join('\n')

/** An MCP server that can be switched to the authorization server of another world. */
async function movingWorld(first: Script = {}, second: Script = {}) {
  const named = { server: '', refused: new Set<string>() }
  const there = await oauthWorld(second)
  const here = await oauthWorld({
    mcp: (token) => (named.refused.has(token) ? { status: 401 } : undefined),
    ...first,
    resource: ({ issuer }) => ({ authorization_servers: [named.server || issuer] }),
  })
  const clock = testClock()
  const client = (provider: CredentialProvider, more: object = {}) => {
    const send = authorizedFetch(provider, {
      resource: here.url,
      now: clock.now,
      random: () => 0,
      ...more,
    })
    const call = (body = '{}') => send(here.url, { method: 'POST', body })
    const failure = async () => (await call().catch((thrown: unknown) => thrown)) as CredentialError
    return { send, call, failure, manager: send.manager }
  }
  /** Names another issuer, and refuses the tokens that were issued so far. */
  const move = (server: string, ...refused: string[]) => {
    named.server = server
    for (const token of refused) named.refused.add(token)
  }
  return { here, there, clock, client, move }
}

const tokens =
  (owner: string): NonNullable<Script['token']> =>
  (_params, count) => ({
    body: {
      ...tokenAnswer(count, { refresh_token: `refresh-of-${owner}-${count}` }),
      access_token: `access-of-${owner}-${count}`,
    },
  })

const insufficient = (scope: string) => ({
  status: 403,
  headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` },
})

describe('what one authorization server issued', () => {
  const unusableOnce = (answer: object): Script => ({
    token: (params, count, request) =>
      count === 1
        ? { body: { ...answer, refresh_token: 'salvaged-there' } }
        : tokens('there')(params, count, request),
  })

  test.each([
    { token_type: 'Bearer', access_token: 'no header can carry é' },
    { token_type: 'mac', access_token: 'x' },
    { token_type: 'Bearer' },
  ])('row 15: a refresh token beside %j is bound to the server that sent it', async (answer) => {
    const { here, there, clock, client, move } = await movingWorld(
      { token: tokens('here') },
      unusableOnce(answer),
    )
    const { call, failure } = client(authorizationCode(browser))
    await call()
    move(there.issuer, 'access-of-here-1')
    await failure()
    move(here.issuer)
    clock.advance(61_000)
    await call()
    expect(seenBy(here)).not.toContain('salvaged-there')
    expect(seenBy(there)).not.toContain('refresh-of-here')
  })

  test('a refresh token in an unusable response is next redeemed at the server that sent it', async () => {
    const { there, clock, client, move } = await movingWorld(
      { token: tokens('here') },
      unusableOnce({ token_type: 'mac', access_token: 'x' }),
    )
    const { call, failure } = client(authorizationCode(browser))
    await call()
    move(there.issuer, 'access-of-here-1')
    await failure()
    clock.advance(61_000)
    expect((await call()).status).toBe(200)
    expect(there.tokenRequests().at(-1)).toMatchObject({ refresh_token: 'salvaged-there' })
    expect(there.logins()).toHaveLength(1)
  })

  test('row 50: granted scopes are not requested from the next authorization server', async () => {
    const { there, client, move } = await movingWorld(
      {
        token: (_params, count) => ({ body: tokenAnswer(count, { scope: 'payroll-of-here' }) }),
      },
      { token: tokens('there') },
    )
    const { call } = client(authorizationCode(browser))
    await call()
    move(there.issuer, 'access-1')
    expect((await call()).status).toBe(200)
    expect(there.logins()).toHaveLength(1)
    expect(seenBy(there)).not.toContain('payroll-of-here')
  })

  test('the scopes of a step-up are not requested from the next authorization server', async () => {
    const { here, there, clock, client, move } = await movingWorld(
      {
        mcp: (token, request) => {
          if (token === 'access-of-here-2' && request.body === '"moved"') return { status: 401 }
          return request.body === '"admin"' && token === 'access-of-here-1'
            ? insufficient('payroll-of-here')
            : undefined
        },
        token: tokens('here'),
      },
      {
        token: (_params, count) => ({
          body: { ...tokenAnswer(count), access_token: `there-${count}`, expires_in: 60 },
        }),
      },
    )
    const { call } = client(authorizationCode(browser))
    await call()
    await call('"admin"')
    expect(here.logins().at(-1)?.['scope']).toContain('payroll-of-here')
    move(there.issuer)
    expect((await call('"moved"')).status).toBe(200)
    // Without a refresh token, the next acquisition is a login too, long after the first server.
    clock.advance(3_700_000)
    expect((await call('"moved"')).status).toBe(200)
    expect(there.logins()).toHaveLength(2)
    expect(seenBy(there)).not.toContain('payroll-of-here')
  })

  test('row 34: a client registers at each authorization server, and keeps both registrations', async () => {
    const register = (id: string): NonNullable<Script['register']> => {
      return (body) => ({
        status: 201,
        body: { ...body, client_id: id, client_secret: `secret-${id}` },
      })
    }
    const confidential = () => ({ token_endpoint_auth_methods_supported: ['client_secret_post'] })
    const { here, there, client, move } = await movingWorld(
      { token: tokens('here'), register: register('id-here'), metadata: confidential },
      { token: tokens('there'), register: register('id-there'), metadata: confidential },
    )
    const { call, manager } = client(authorizationCode(browser))
    await call()
    move(there.issuer, 'access-of-here-1')
    await call()
    move(here.issuer, 'access-of-there-1')
    await call()
    expect(manager.current()?.issuer).toBe(here.issuer)
    expect(here.logins().map((login) => login['client_id'])).toEqual(['id-here', 'id-here'])
    for (const [world, other] of [
      [here, 'there'],
      [there, 'here'],
    ] as const) {
      expect(world.paths().filter((path) => path === '/register')).toHaveLength(1)
      expect(seenBy(world)).not.toContain(`secret-id-${other}`)
    }
  })

  test('row 35: logout() sends the secret of the options only to its own issuer', async () => {
    const revocable: Script = {
      token: (params, count, request) =>
        params.has('token') ? { body: '' } : tokens('here')(params, count, request),
      metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
    }
    const { here, there, client } = await movingWorld(revocable)
    const store = memoryStore()
    await client(authorizationCode({ ...browser, clientId: 'app' }), { store }).call()
    const pinned = authorizationCode({
      ...browser,
      clientId: 'app',
      clientSecret: 'secret-for-there',
      issuer: there.issuer,
    })
    await client(pinned, { store })
      .manager.logout()
      .catch(() => {})
    expect(seenBy(here)).not.toContain('secret-for-there')
    expect(seenBy(here)).not.toContain(btoa('app:secret-for-there'))
  })

  test('row 7: a stored login of another issuer than the configured one is not used', async () => {
    const { here, there, client } = await movingWorld({ token: tokens('here') })
    const store = memoryStore()
    await client(authorizationCode({ ...browser, clientId: 'app' }), { store }).call()
    const before = here.mcpServer.requests.length
    await client(savedLogin({ issuer: there.issuer }), { store }).failure()
    const sent = here.mcpServer.requests.slice(before)
    expect(JSON.stringify(sent)).not.toContain('access-of-here')
  })
})

describe('a client assertion', () => {
  const tokenEndpointOnly = async () => {
    const { privateKey } = await generateSigningKey('ES256')
    return privateKeyJwt({ key: privateKey, audience: 'token_endpoint' })
  }

  test('advisory CVE-2025-27370: for the token endpoint requires an authorization server that the application chose', async () => {
    const clientAuth = await tokenEndpointOnly()
    expect(() => clientCredentials({ clientId: 'agent', clientAuth })).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', option: 'clientCredentials.issuer' }),
    )
  })

  test('for the token endpoint is sent to no other origin', async () => {
    const elsewhere = await recordingOrigin()
    const world = await oauthWorld({
      metadata: () => ({ device_authorization_endpoint: `${elsewhere.origin}/device` }),
    })
    const provider = deviceCode({
      clientId: 'agent',
      clientAuth: await tokenEndpointOnly(),
      issuer: world.issuer,
      onUserCode: () => {},
    })
    const error = (await world.call(provider).catch((thrown) => thrown)) as CredentialError
    expect(error.code).toBe('wrong_issuer')
    expect(error.message).toContain('audience')
    expect(elsewhere.requests).toEqual([])
  })
})

describe('an authorization response', () => {
  const withForeignLogin = async (more: Script = {}) => {
    const honest = await oauthWorld()
    const world = await oauthWorld({
      ...more,
      metadata: (bases) => ({
        authorization_endpoint: `${honest.issuer}/authorize`,
        ...more.metadata?.(bases),
      }),
    })
    return { honest, world }
  }

  test('row 39: is not even requested if the authorization endpoint has another origin than the issuer', async () => {
    const { world } = await withForeignLogin()
    const opened: URL[] = []
    const provider = authorizationCode({ onAuthorizationUrl: (url) => void opened.push(url) })
    const error = (await world.call(provider).catch((thrown) => thrown)) as CredentialError
    expect(error).toMatchObject({ name: 'DiscoveryError', retryable: false })
    expect(error.message).toContain('`issuer`')
    expect(opened).toEqual([])
    expect(world.paths()).not.toContain('/register')
  })

  test('is accepted if the application configures an issuer whose authorization endpoint is elsewhere', async () => {
    const { honest, world } = await withForeignLogin()
    const provider = authorizationCode({ ...browser, issuer: world.issuer })
    expect((await world.call(provider)).status).toBe(200)
    expect(honest.logins()).toHaveLength(1)
  })

  test('is accepted if the server announces `iss` and sends it', async () => {
    const honest = await oauthWorld({
      redirect: (target) => target.searchParams.set('iss', world.issuer),
    })
    const world: World = await oauthWorld({
      metadata: () => ({
        authorization_endpoint: `${honest.issuer}/authorize`,
        authorization_response_iss_parameter_supported: true,
      }),
    })
    expect((await world.call(authorizationCode(browser))).status).toBe(200)
  })

  test('requireIss: must contain `iss`, even if it was not announced', async () => {
    const world = await oauthWorld()
    const provider = authorizationCode({ ...browser, requireIss: true })
    const error = (await world.call(provider).catch((thrown) => thrown)) as CredentialError
    expect(error).toMatchObject({ code: 'invalid_response' })
    expect(error.message).toContain('does not say that it comes')
    expect(world.tokenRequests()).toEqual([])
    const naming = await oauthWorld({
      redirect: (target, { issuer }) => target.searchParams.set('iss', issuer),
    })
    expect((await naming.call(provider)).status).toBe(200)
  })

  test.each(['other origin', 'other path'])('pasted from %s is rejected', async (where) => {
    const world = await oauthWorld()
    const place = where.endsWith('origin')
      ? 'https://evil.example/done'
      : 'https://app.example.com/other'
    const provider = authorizationCode({
      redirectUri: 'https://app.example.com/done',
      onAuthorizationUrl: (url) =>
        `${place}?code=injected&state=${url.searchParams.get('state') ?? ''}`,
    })
    const error = (await world.call(provider).catch((thrown) => thrown)) as CredentialError
    expect(error.message).toContain('does not belong to this login')
    expect(world.tokenRequests()).toEqual([])
  })
})

describe('the parameters of the protocol', () => {
  test.each([
    'state',
    'client_id',
    'redirect_uri',
    'code_challenge',
    'code_challenge_method',
    'response_type',
    'response_mode',
    'scope',
    'resource',
    'request',
    'request_uri',
  ])('%s is rejected in the URL of an authorization endpoint', async (parameter) => {
    const world = await oauthWorld({
      metadata: ({ issuer }) => ({
        authorization_endpoint: `${issuer}/authorize?tenant=7&${parameter}=injected`,
      }),
    })
    const opened: URL[] = []
    const provider = authorizationCode({ onAuthorizationUrl: (url) => void opened.push(url) })
    const error = (await world.call(provider).catch((thrown) => thrown)) as CredentialError
    expect(error).toMatchObject({ name: 'DiscoveryError' })
    expect(error.message).toContain(`\`${parameter}\``)
    expect(opened).toEqual([])
  })

  test('another query of an authorization endpoint is kept', async () => {
    const world = await oauthWorld({
      metadata: ({ issuer }) => ({ authorization_endpoint: `${issuer}/authorize?tenant=7` }),
    })
    expect((await world.call(authorizationCode(browser))).status).toBe(200)
    expect(world.logins()[0]).toMatchObject({ tenant: '7' })
  })

  test.each(['state', 'client_id', 'request_uri', 'scope', 'resource', 'code_challenge'])(
    '%s is rejected in `authorizationParameters`',
    (parameter) => {
      expect(() => authorizationCode({ authorizationParameters: { [parameter]: 'mine' } })).toThrow(
        expect.objectContaining({
          option: `authorizationCode.authorizationParameters.${parameter}`,
        }),
      )
    },
  )
})

describe('dpop: true', () => {
  test('a stored token without a key is renewed instead of used', async () => {
    const world = await oauthWorld({
      token: (_params, count, request) => ({
        body: tokenAnswer(count, {
          refresh_token: `refresh-${count}`,
          token_type: request.headers['dpop'] === undefined ? 'Bearer' : 'DPoP',
        }),
      }),
    })
    const store = memoryStore()
    await world.call(authorizationCode(browser), { store })
    const before = world.mcpServer.requests.length
    const response = await world.call(authorizationCode({ ...browser, dpop: true }), { store })
    expect(response.status).toBe(200)
    const sent = world.mcpServer.requests.slice(before).map((r) => r.headers.authorization)
    expect(sent.filter((value) => value !== undefined)).toEqual(['DPoP access-2'])
    expect(world.logins()).toHaveLength(1)
  })

  test('a stored token without a key is used if that is allowed', async () => {
    const world = await oauthWorld()
    const store = memoryStore()
    await world.call(authorizationCode(browser), { store })
    const provider = authorizationCode({ ...browser, dpop: { required: false } })
    await world.call(provider, { store })
    expect(world.mcpServer.requests.at(-1)?.headers.authorization).toBe('Bearer access-1')
  })
})

describe('metadata with endpoints of other servers', () => {
  test.each([
    'token_endpoint',
    'revocation_endpoint',
    'device_authorization_endpoint',
    'registration_endpoint',
    'pushed_authorization_request_endpoint',
  ])('%s at another origin is rejected, and nothing is sent', async (endpoint) => {
    const other = await recordingOrigin()
    const world = await oauthWorld({ metadata: () => ({ [endpoint]: `${other.origin}/x` }) })
    const opened: URL[] = []
    const provider = authorizationCode({ onAuthorizationUrl: (url) => void opened.push(url) })
    const error = (await world.call(provider).catch((thrown) => thrown)) as CredentialError
    expect(error).toMatchObject({ name: 'DiscoveryError', retryable: false })
    expect(error.message).toContain(endpoint)
    expect(error.message).toContain('`issuer`')
    expect(other.requests).toEqual([])
    expect(opened).toEqual([])
  })

  test('is accepted if the application configures the issuer', async () => {
    const other = await recordingOrigin((_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(tokenAnswer(1)))
    })
    const world = await oauthWorld({
      metadata: () => ({ token_endpoint: `${other.origin}/token` }),
    })
    const provider = authorizationCode({ ...browser, issuer: world.issuer })
    expect((await world.call(provider)).status).toBe(200)
    expect(other.requests).toHaveLength(1)
  })

  test('`acceptIssuer` requires the issuer to which it applies', () => {
    expect(() => authorizationCode({ acceptIssuer: 'https://other.example' })).toThrow(
      expect.objectContaining({ option: 'authorizationCode.issuer' }),
    )
  })
})

describe('an MCP server that keeps naming other authorization servers', () => {
  test('row 53: gets three logins in ten minutes for all its callers', async () => {
    const { here, there, clock, client, move } = await movingWorld(
      { token: tokens('here') },
      { token: tokens('there') },
    )
    const { call, send } = client(authorizationCode(browser))
    await call()
    const errors: CredentialError[] = []
    const moveOn = (server: World) => {
      const sent = here.mcpServer.requests.flatMap(({ headers }) => headers.authorization ?? [])
      move(server.issuer, ...sent.map((header) => header.replace('Bearer ', '')))
    }
    for (let round = 0; round < 8; round += 1) {
      moveOn(round % 2 === 0 ? there : here)
      clock.advance(10_000)
      await call().catch((error: CredentialError) => errors.push(error))
      await send.login().catch((error: CredentialError) => errors.push(error))
    }
    const logins = () => here.logins().length + there.logins().length
    expect(logins()).toBe(1 + 3)
    const named = errors.filter(({ message }) =>
      message.includes('a different authorization server'),
    )
    expect(named[0]).toMatchObject({ name: 'DiscoveryError', retryable: false })
    expect(named[0]?.message).toContain('`issuer`')
    clock.advance(601_000)
    moveOn(here)
    await send.login()
    expect(logins()).toBe(1 + 3 + 1)
  })
})
