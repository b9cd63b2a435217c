import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialEvent, type CredentialProvider } from '../../src/index.ts'
import {
  type AuthorizationCodeOptions,
  allowOnly,
  authorizationCode,
  clientCredentials,
  deviceCode,
  enterpriseManaged,
  type OAuthPolicy,
  type OAuthStep,
  savedLogin,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
const ping = { method: 'POST', body: '{}' }

/** A world with every kind of step: a login, a step-up, a refresh and a logout. */
const script: Script = {
  challenge: () => 'scope="read"',
  metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
  token: (params, count) => {
    const scope =
      params.get('grant_type') === 'refresh_token' ? {} : { refresh_token: `r-${count}` }
    return { body: tokenAnswer(count, { ...scope, expires_in: 60 }) }
  },
  mcp: (token) =>
    token === 'access-1'
      ? {
          status: 403,
          headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="write"' },
        }
      : undefined,
}

async function wholeLife(allow: OAuthPolicy, options: AuthorizationCodeOptions = {}) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const events: CredentialEvent[] = []
  const send = authorizedFetch(authorizationCode({ ...browser, ...options, allow }), {
    resource: world.url,
    account: 'alice',
    now: clock.now,
    onEvent: (event) => void events.push(event),
  })
  const outcome = await (async () => {
    await send(world.url, ping)
    clock.advance(120_000)
    await send(world.url, ping)
    return send.logout()
  })().catch((error: unknown) => error)
  const refusals = events.filter(({ type }) => type === 'refused_by_policy')
  return { world, outcome, refusals }
}

/** The requests that reached the servers, in order. */
function sent(world: World): string[] {
  const token = world.tokenRequests()
  return world.authorizationServer.requests.map(({ url }) => {
    const { pathname } = new URL(url, world.issuer)
    if (pathname !== '/token') return pathname
    return `/token ${token.shift()?.['grant_type']}`
  })
}

describe('the option `allow`', () => {
  test('is called before each step of a login, a step-up, a renewal and a logout', async () => {
    const steps: OAuthStep[] = []
    const { world, outcome } = await wholeLife((step) => void steps.push(step))
    expect(outcome).toEqual({ revoked: true })
    const { origin } = new URL(world.issuer)
    const common = {
      resource: world.url,
      issuer: world.issuer,
      origins: [origin],
      clientId: 'registered-1',
    }
    const grantType = 'authorization_code'
    expect(steps).toEqual([
      {
        ...common,
        type: 'discovery',
        clientId: undefined,
        scopes: [],
        url: `${world.issuer}/.well-known/oauth-authorization-server`,
      },
      { ...common, type: 'registration', clientId: undefined, scopes: [] },
      { ...common, type: 'authorization', grantType, scopes: ['read'] },
      { ...common, type: 'token_request', grantType, scopes: ['read'] },
      {
        ...common,
        type: 'step_up',
        origins: [],
        granted: ['read'],
        scopes: ['read', 'write'],
      },
      { ...common, type: 'authorization', grantType, scopes: ['read', 'write'] },
      { ...common, type: 'token_request', grantType, scopes: ['read', 'write'] },
      {
        ...common,
        type: 'token_request',
        grantType: 'refresh_token',
        scopes: ['read', 'write'],
      },
      { ...common, type: 'revocation', scopes: [] },
      { ...common, type: 'revocation', scopes: [] },
    ])
    for (const { body } of world.authorizationServer.requests) {
      for (const [name, value] of new URLSearchParams(body)) {
        const isSecret = ['code', 'code_verifier', 'refresh_token', 'token'].includes(name)
        if (isSecret) expect(JSON.stringify(steps)).not.toContain(value)
      }
    }
  })

  test.each<[OAuthStep['type'], RegExp, string[]]>([
    ['discovery', /refused discovery at http/, []],
    [
      'registration',
      /refused the registration of the client at http/,
      ['/.well-known/oauth-authorization-server'],
    ],
    [
      'authorization',
      /refused the authorization request at http/,
      ['/.well-known/oauth-authorization-server', '/register'],
    ],
    [
      'token_request',
      /refused the token request at http/,
      ['/.well-known/oauth-authorization-server', '/register', '/authorize'],
    ],
  ])('that refuses %s prevents it', async (type, message, requests) => {
    const { world, outcome, refusals } = await wholeLife((step) => step.type !== type)
    expect(outcome).toMatchObject({
      name: 'CredentialError',
      code: 'refused_by_policy',
      retryable: false,
      message: expect.stringMatching(message),
    })
    expect(sent(world)).toEqual(requests)
    const reason = expect.stringMatching(message)
    const origins = [expect.stringContaining('http://127.0.0.1:')]
    expect(refusals).toMatchObject([{ step: type, origins, reason, account: 'alice' }])
  })

  test('that refuses a step-up keeps the current token in use', async () => {
    const { world } = await wholeLife(({ type }) => type !== 'step_up')
    expect(world.logins().map(({ scope }) => scope)).toEqual(['read'])
  })

  test('that refuses a revocation prevents that the tokens are sent there', async () => {
    const { world, outcome, refusals } = await wholeLife(({ type }) => type !== 'revocation')
    expect(outcome).toEqual({
      revoked: false,
      reason: expect.stringContaining('the option `allow` refused the revocation'),
    })
    expect(sent(world).join()).not.toContain('revoke')
    const { issuer } = world
    const clientId = 'registered-1'
    expect(refusals).toMatchObject([
      { step: 'revocation', issuer, clientId, account: 'alice', requested: [] },
    ])
  })

  const odd = (answer: unknown) => (() => answer) as OAuthPolicy
  test.each<[string, OAuthPolicy]>([
    ['returns false', () => false],
    ['resolves to false', async () => false],
    ['returns nothing sensible', odd(null)],
    ['returns a text', odd('yes')],
    [
      'throws',
      () => {
        throw new Error('not here')
      },
    ],
    ['rejects', () => Promise.reject(new Error('not here'))],
  ])('refuses the step if it %s', async (_what, allow) => {
    const { world, outcome } = await wholeLife(allow)
    expect(outcome).toMatchObject({ code: 'refused_by_policy' })
    expect(sent(world)).toEqual([])
  })

  test('may be asynchronous, but not longer than the acquisition', async () => {
    const world = await oauthWorld(script)
    const provider = authorizationCode({ ...browser, allow: () => new Promise(() => {}) })
    const send = authorizedFetch(provider, { resource: world.url, acquireTimeout: 1 })
    await expect(send.login()).rejects.toMatchObject({ code: 'timeout' })
    expect(sent(world)).toEqual([])
  })

  test('that refuses a renewal does not use up the refresh token: the login continues when it permits one', async () => {
    const world = await oauthWorld(script)
    const clock = testClock()
    const store = memoryStore()
    const options = { resource: world.url, now: clock.now, store }
    await authorizedFetch(authorizationCode(browser), options).login()
    clock.advance(120_000)
    const refusing = authorizedFetch(savedLogin({ allow: () => false }), options)
    await expect(refusing.login()).rejects.toMatchObject({ code: 'refused_by_policy' })
    await refusing.close()
    const [key = ''] = (await store.list()).filter((name) => !name.startsWith('registration'))
    expect(await store.get(key)).not.toHaveProperty('pending')
    await authorizedFetch(savedLogin({ allow: () => true }), options).login()
    expect(world.tokenRequests().map(({ grant_type }) => grant_type)).toEqual([
      'authorization_code',
      'refresh_token',
    ])
  })

  test('is called for a device login', async () => {
    const world = await oauthWorld({
      metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
    })
    const types: string[] = []
    const allow: OAuthPolicy = (step) => {
      types.push(step.type)
      return step.type !== 'authorization'
    }
    const provider = deviceCode({ clientId: 'tv', onUserCode: () => {}, allow })
    await expect(world.call(provider)).rejects.toMatchObject({ code: 'refused_by_policy' })
    expect(types).toEqual(['discovery', 'authorization'])
    expect(world.tokenRequests()).toEqual([])
  })

  test('is also called with the origin of pushed authorization requests', async () => {
    const other = await oauthWorld()
    const world = await oauthWorld({
      metadata: () => ({
        require_pushed_authorization_requests: true,
        pushed_authorization_request_endpoint: `${other.issuer}/par/token`,
      }),
    })
    const allow = allowOnly({ issuers: [world.issuer] })
    const provider = authorizationCode({ ...browser, issuer: world.issuer, allow })
    await expect(world.call(provider)).rejects.toMatchObject({
      code: 'refused_by_policy',
      message: expect.stringContaining(other.issuer),
    })
    expect(other.paths()).toEqual([])
  })

  test('restricts a registration to the scopes that allowOnly() lists', async () => {
    const world = await oauthWorld({
      resource: () => ({ scopes_supported: ['notes:read', 'admin', 'payments:write'] }),
    })
    const allow = allowOnly({ issuers: [world.issuer], scopes: ['notes:read', 'notes:write'] })
    const own = { ...browser, scope: 'notes:read' }
    expect((await world.call(authorizationCode({ ...own, allow }))).status).toBe(200)
    const [registered] = world.authorizationServer.requests.filter((r) => r.url === '/register')
    expect(JSON.parse(registered?.body ?? '')).toMatchObject({ scope: 'notes:read' })

    const wrapped = authorizationCode({ ...own, allow: (step) => allow(step) })
    await expect(world.call(wrapped)).rejects.toMatchObject({
      code: 'refused_by_policy',
      message: expect.stringContaining('"admin" is not listed'),
    })
  })

  test.each(['issuers', 'origins', 'scopes'])('rejects an empty list of %s', (list) => {
    expect(() => allowOnly({ [list]: [] })).toThrow(
      expect.objectContaining({ option: `allowOnly.${list}` }),
    )
  })

  test('is called with the identity provider of an enterprise', async () => {
    const idp = await oauthWorld()
    const world = await oauthWorld()
    const provider = enterpriseManaged({
      clientId: 'wiki',
      issuer: world.issuer,
      identityProvider: { issuer: idp.issuer, clientId: 'agent' },
      subjectToken: 'id-token-of-the-user',
      allow: allowOnly({ issuers: [world.issuer] }),
    })
    await expect(world.call(provider)).rejects.toMatchObject({
      code: 'refused_by_policy',
      message: expect.stringContaining(idp.issuer),
    })
    expect(idp.paths()).toEqual([])
  })

  test('receives the MCP server that a grant of an identity provider is for', async () => {
    const idp = await oauthWorld()
    const world = await oauthWorld()
    const steps: OAuthStep[] = []
    const provider = enterpriseManaged({
      clientId: 'wiki',
      issuer: world.issuer,
      identityProvider: { issuer: idp.issuer, clientId: 'agent' },
      subjectToken: 'id-token-of-the-user',
      allow: (step) => void steps.push(step),
    })
    await world.call(provider).catch(() => {})
    expect(steps.filter(({ issuer }) => issuer === idp.issuer)).toMatchObject([
      { type: 'discovery', resource: world.url },
      {
        type: 'token_request',
        resource: world.url,
        clientId: 'agent',
        grantType: 'urn:ietf:params:oauth:grant-type:token-exchange',
      },
    ])
    expect(JSON.stringify(steps)).not.toContain('id-token-of-the-user')
  })

  test('must be a function', () => {
    expect(() => authorizationCode({ allow: true as never })).toThrow(/allow must be a function/)
  })
})

describe('allowOnly', () => {
  const outcome = async (
    list: (world: World) => Parameters<typeof allowOnly>[0],
    provider: (world: World, allow: OAuthPolicy) => CredentialProvider = (_world, allow) =>
      authorizationCode({ ...browser, allow }),
    changes: Script = {},
  ) => {
    const world = await oauthWorld({ ...script, mcp: () => undefined, ...changes })
    return world.call(provider(world, allowOnly(list(world)))).then(
      ({ status }) => status,
      (error: Error) => error.message,
    )
  }

  test('permits listed values', async () => {
    expect(await outcome(({ issuer }) => ({ issuers: [issuer], scopes: ['read'] }))).toBe(200)
    expect(await outcome(({ issuer }) => ({ origins: [new URL(issuer).origin] }))).toBe(200)
  })

  test.each<[string, Parameters<typeof outcome>[0], RegExp]>([
    [
      'issuer',
      () => ({ issuers: ['https://login.example.com'] }),
      /the issuer "http.*" is not listed. Add it to `issuers`/,
    ],
    [
      'origin',
      () => ({ origins: ['https://login.example.com'] }),
      /the origin "http.*" is not listed. Add it to `origins`/,
    ],
    [
      'scope',
      ({ issuer }) => ({ issuers: [issuer], scopes: ['admin'] }),
      /the scope "read" is not listed. Add it to `scopes`/,
    ],
  ])('refuses another %s, and says which', async (_what, list, message) => {
    expect(await outcome(list)).toMatch(message)
  })

  test('refuses an endpoint at another origin than that of its issuer', async () => {
    const other = await oauthWorld()
    const list = ({ issuer }: World) => ({ issuers: [issuer] })
    const changes = { metadata: () => ({ token_endpoint: `${other.issuer}/token` }) }
    const pinned = ({ issuer }: World, allow: OAuthPolicy) =>
      authorizationCode({ ...browser, issuer, allow })
    const message = await outcome(list, pinned, changes)
    expect(message).toContain(`refused the token request at ${other.issuer}`)
    expect(other.paths()).toEqual([])
    const both = ({ issuer }: World) => ({ issuers: [issuer], origins: [other.issuer] })
    expect(await outcome(both, pinned, changes)).toBe(200)
  })

  test('refuses metadata at an unlisted origin', async () => {
    const other = await oauthWorld()
    const message = await outcome(({ issuer }) => ({ issuers: [issuer] }), undefined, {
      challenge: () => `resource_metadata="${other.issuer}/metadata"`,
    })
    expect(message).toContain(`refused discovery at ${other.issuer}`)
    expect(other.paths()).toEqual([])
  })

  test('that lists scopes refuses a request without scopes', async () => {
    const machine = (world: World, allow: OAuthPolicy) =>
      clientCredentials({ clientId: 'a', clientSecret: 'secret', issuer: world.issuer, allow })
    const message = await outcome(() => ({ scopes: ['read'] }), machine, { challenge: () => '' })
    expect(message).toMatch(/names no scopes.*Set `scope`/)
  })

  test.each([
    [{}, /otherwise nothing is refused/],
    [{ issuer: [] }, /no option `issuer`/],
    [{ issuers: ['login'] }, /allowOnly.issuers must be a list/],
    [{ origins: ['https://a.example/'] }, /allowOnly.origins must be a list/],
    [{ scopes: ['a b'] }, /allowOnly.scopes must be a list/],
    [{ scopes: 'read' }, /allowOnly.scopes must be a list/],
  ])('rejects the list %j', (list, message) => {
    expect(() => allowOnly(list as never)).toThrow(message)
  })
})

test('allowOnly() says concisely what is not listed, whatever a server wrote', async () => {
  const allow = allowOnly({ issuers: ['https://login.example.com'], scopes: ['read'] })
  const step = {
    type: 'authorization',
    grantType: 'authorization_code',
    resource: 'https://mcp.example.com/mcp',
    issuer: 'https://login.example.com',
    origins: ['https://login.example.com'],
    clientId: undefined,
    scopes: ['read'],
  } as const
  const messageOf = (more: Partial<OAuthStep>): string => {
    try {
      void allow({ ...step, ...more } as OAuthStep)
    } catch (error) {
      return (error as Error).message
    }
    return expect.fail('it was allowed')
  }
  const issuer = `https://evil.example/${'a/'.repeat(80_000)}?token=canary`
  expect(messageOf({ issuer })).toContain('https://evil.example/')
  expect(messageOf({ issuer }).length).toBeLessThan(500)
  expect(messageOf({ issuer: 'https://evil.example/?token=canary' })).not.toContain('canary')
  const scope = messageOf({ scopes: [`write:${'all:'.repeat(40_000)}`] })
  expect(scope).toContain('write:')
  expect(scope.length).toBeLessThan(500)
})
