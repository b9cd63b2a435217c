import { createSign, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { createLocalJWKSet, decodeProtectedHeader, exportJWK, importSPKI, jwtVerify } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { authorizedFetch, type CredentialEvent, file, generateSigningKey } from '../../src/index.ts'
import {
  type ClientAuthentication,
  clientCredentials,
  deviceCode,
  enterpriseManaged,
  jwtBearer,
  privateKeyJwt,
  refreshToken,
  tokenEndpoint,
  tokenExchange,
} from '../../src/oauth/index.ts'
import { checkOwnPage } from '../../src/oauth/own-endpoints.ts'
import { profileOf } from '../../src/oauth/profiles.ts'
import { idJag } from '../support/id-jag.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

type DeviceLogin = Parameters<Parameters<typeof deviceCode>[0]['onUserCode']>[0]

const agent = { clientId: 'agent', clientSecret: 's3cret:&+ %é' }

describe('clientCredentials', () => {
  test('row 73: requests a token for the client itself, and never registers', async () => {
    const world = await oauthWorld({ challenge: () => 'scope="tools"' })
    const provider = clientCredentials({ ...agent, issuer: world.issuer })
    expect((await world.call(provider)).status).toBe(200)
    expect(world.tokenRequests()).toEqual([
      { grant_type: 'client_credentials', resource: world.url, scope: 'tools' },
    ])
    expect(world.paths()).not.toContain('/register')
  })

  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

  test.each<
    [string, ClientAuthentication | undefined, string[] | undefined, string | null, object]
  >([
    [
      'Basic by default, form-encoded',
      undefined,
      undefined,
      basic('agent:s3cret%3A%26%2B+%25%C3%A9'),
      {},
    ],
    [
      'in the body if the server lists nothing else',
      undefined,
      ['client_secret_post'],
      null,
      { client_id: 'agent', client_secret: agent.clientSecret },
    ],
    [
      'in the body when asked',
      'client_secret_post',
      ['client_secret_basic'],
      null,
      { client_secret: agent.clientSecret },
    ],
    [
      'Basic where both are listed',
      undefined,
      ['client_secret_post', 'client_secret_basic'],
      basic('agent:s3cret%3A%26%2B+%25%C3%A9'),
      {},
    ],
  ])('the secret is sent %s', async (_what, clientAuth, supported, authorization, members) => {
    const world = await oauthWorld({
      metadata: () => ({ token_endpoint_auth_methods_supported: supported }),
    })
    const auth = clientAuth === undefined ? {} : { clientAuth }
    await world.call(clientCredentials({ ...agent, ...auth, issuer: world.issuer }))
    const request = world.authorizationServer.requests.find(({ url }) => url === '/token')
    expect(request?.headers.authorization ?? null).toBe(authorization)
    expect(world.tokenRequests()[0]).toMatchObject(members)
  })

  test('plain Basic credentials are not encoded, for servers that do not decode', async () => {
    const world = await oauthWorld()
    const provider = clientCredentials({
      clientId: 'agent-1',
      clientSecret: 'a+b/c=',
      clientAuth: 'client_secret_basic_unencoded',
      issuer: world.issuer,
    })
    await world.call(provider)
    const request = world.authorizationServer.requests.find(({ url }) => url === '/token')
    expect(request?.headers.authorization).toBe(basic('agent-1:a+b/c='))
  })

  test('a rotated secret is read again', async () => {
    const world = await oauthWorld({
      token: (_params, _count, { headers }) =>
        headers.authorization === basic('agent:new') ? undefined : { status: 401 },
    })
    let clientSecret = 'old'
    let time = Date.now()
    const provider = clientCredentials({
      clientId: 'agent',
      clientSecret: () => clientSecret,
      issuer: world.issuer,
    })
    const send = authorizedFetch(provider, { resource: world.url, now: () => time })
    await expect(send.manager.credential()).rejects.toMatchObject({ code: 'invalid_client' })
    clientSecret = 'new'
    await expect(send.manager.credential()).rejects.toMatchObject({ code: 'invalid_client' })
    time += 61_000
    await send.manager.credential()
    expect(world.tokenRequests()).toHaveLength(2)
  })

  test('explicit metadata makes discovery unnecessary', async () => {
    const world = await oauthWorld()
    const { issuer } = world
    const provider = clientCredentials({
      ...agent,
      metadata: { issuer, token_endpoint: `${issuer}/token` },
    })
    expect((await world.call(provider)).status).toBe(200)
    expect(world.paths()).toEqual(['/token'])
    expect(world.mcpPaths()).toEqual(['/mcp'])
  })

  test('explicit metadata must not point to plain http on another machine either', async () => {
    const world = await oauthWorld()
    const provider = clientCredentials({
      ...agent,
      metadata: { issuer: 'https://a.example', token_endpoint: 'http://a.example/token' },
    })
    await expect(world.call(provider)).rejects.toMatchObject({ name: 'DiscoveryError' })
  })

  test('a client without authentication is rejected', () => {
    const issuer = 'https://login.example.com'
    expect(() => clientCredentials({ clientId: 'agent', issuer })).toThrow(
      'clientSecret is missing',
    )
    const unset = process.env['NOT_SET_ANYWHERE'] as string
    expect(() => clientCredentials({ clientId: 'agent', issuer, clientSecret: unset })).toThrow(
      'clientSecret is undefined',
    )
    const promised = Promise.resolve('secret') as never
    expect(() => clientCredentials({ clientId: 'agent', issuer, clientSecret: promised })).toThrow(
      'is a promise; await it',
    )
  })

  test('options: parameters are added, and the resource can be omitted or replaced', async () => {
    const world = await oauthWorld()
    const shared = { ...agent, issuer: world.issuer }
    await world.call(
      clientCredentials({ ...shared, resource: false, parameters: { audience: 'x' } }),
    )
    await world.call(clientCredentials({ ...shared, resource: 'urn:example:mcp' }))
    expect(world.tokenRequests()).toEqual([
      { grant_type: 'client_credentials', audience: 'x' },
      { grant_type: 'client_credentials', resource: 'urn:example:mcp' },
    ])
  })
})

describe('privateKeyJwt', () => {
  test('advisory CVE-2025-27370: the assertion is only for the issuer, short-lived and unique', async () => {
    const { privateKey, jwks } = await generateSigningKey('ES256')
    const world = await oauthWorld()
    const clientAuth = privateKeyJwt({ key: privateKey, keyId: 'key-1' })
    const provider = clientCredentials({ clientId: 'agent', clientAuth })
    await world.call(provider)
    await world.call(provider)
    const assertions = world.tokenRequests().map((request) => request['client_assertion'] ?? '')
    const keys = jwks.keys.map((key) => ({ ...key, kid: 'key-1' }))
    const verified = await Promise.all(
      assertions.map((assertion) =>
        jwtVerify(assertion, createLocalJWKSet({ keys }), {
          issuer: 'agent',
          subject: 'agent',
          audience: world.issuer,
          requiredClaims: ['jti', 'exp', 'iat'],
        }),
      ),
    )
    expect(verified.map(({ payload }) => payload.aud)).toEqual([world.issuer, world.issuer])
    expect(verified[0]?.protectedHeader).toMatchObject({ alg: 'ES256', kid: 'key-1' })
    expect(new Set(verified.map(({ payload }) => payload.jti)).size).toBe(2)
    const { exp = 0, iat = 0 } = verified[0]?.payload ?? {}
    expect(exp - iat).toBe(60)
  })

  test('a non-exportable key signs through a function', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const world = await oauthWorld()
    const clientAuth = privateKeyJwt({
      algorithm: 'RS256',
      keyId: 'kms-7',
      sign: async (data) => createSign('sha256').update(data).sign(privateKey),
    })
    await world.call(clientCredentials({ clientId: 'agent', clientAuth }))
    const assertion = world.tokenRequests()[0]?.['client_assertion'] ?? ''
    const { payload } = await jwtVerify(assertion, publicKey, { audience: world.issuer })
    expect(payload).toMatchObject({ iss: 'agent', sub: 'agent' })
    expect(decodeProtectedHeader(assertion)).toEqual({ alg: 'RS256', kid: 'kms-7' })
  })

  test('the token endpoint is the audience only on request', async () => {
    const { privateKey } = await generateSigningKey('ES256')
    const world = await oauthWorld()
    const clientAuth = privateKeyJwt({ key: privateKey, audience: 'token_endpoint' })
    await world.call(clientCredentials({ clientId: 'agent', clientAuth, issuer: world.issuer }))
    const claims = world.tokenRequests()[0]?.['client_assertion']?.split('.')[1] ?? ''
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString()).aud).toBe(
      `${world.issuer}/token`,
    )
  })

  test.each([
    [{}, 'privateKeyJwt.key'],
    [{ key: 'x', sign: async () => new Uint8Array() }, 'privateKeyJwt.key'],
    [{ key: 'x', algorithm: 'HS256' }, 'privateKeyJwt.algorithm'],
    [{ key: 'x', algorithm: 'none' }, 'privateKeyJwt.algorithm'],
  ])('%j is rejected at construction', (options, option) => {
    expect(() => privateKeyJwt(options as never)).toThrow(expect.objectContaining({ option }))
  })
})

describe('deviceCode', () => {
  const device = (answers: readonly object[], verification?: object) => {
    let polls = 0
    return {
      metadata: ({ issuer }: { issuer: string }) => ({
        device_authorization_endpoint: `${issuer}/device/token`,
      }),
      token: (params: URLSearchParams, count: number) => {
        if (!params.has('device_code')) {
          return {
            body: {
              device_code: 'device-1',
              user_code: 'WDJB-MJHT',
              verification_uri: 'http://127.0.0.1/activate',
              expires_in: 600,
              interval: 0.01,
              ...verification,
            },
          }
        }
        polls += 1
        const answer = answers[polls - 1]
        return answer === undefined ? { body: tokenAnswer(count) } : { status: 400, body: answer }
      },
    }
  }

  test("shows the code, waits for the user, and polls at the server's interval", async () => {
    const world = await oauthWorld(device([{ error: 'authorization_pending' }]))
    const shown: DeviceLogin[] = []
    const provider = deviceCode({ clientId: 'tv', onUserCode: (login) => void shown.push(login) })
    expect((await world.call(provider)).status).toBe(200)
    expect(shown).toMatchObject([{ userCode: 'WDJB-MJHT', expiresIn: 600 }])
    expect(shown[0]?.verificationUri.href).toBe('http://127.0.0.1/activate')
    const [start, ...polls] = world.tokenRequests()
    expect(start).toMatchObject({ client_id: 'tv', resource: world.url })
    expect(polls).toHaveLength(2)
    expect(polls[0]).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: 'device-1',
      resource: world.url,
    })
  })

  test.each(['access_denied', 'expired_token'])('%s ends the login permanently', async (error) => {
    const world = await oauthWorld(device([{ error }]))
    const provider = deviceCode({ clientId: 'tv', onUserCode: () => {} })
    await expect(world.call(provider)).rejects.toMatchObject({
      code: 'login_required',
      reason: 'grant_rejected',
    })
  })

  test.each([3e9, 1500.5, 1e308])('a code may be valid for %s seconds', async (expires_in) => {
    const world = await oauthWorld(device([{ error: 'authorization_pending' }], { expires_in }))
    const provider = deviceCode({ clientId: 'tv', onUserCode: () => {} })
    expect((await world.call(provider)).status).toBe(200)
  })

  test('a URL that must not be opened is not shown', async () => {
    const world = await oauthWorld(device([], { verification_uri: 'javascript:alert(1)' }))
    const shown: DeviceLogin[] = []
    const provider = deviceCode({ clientId: 'tv', onUserCode: (login) => void shown.push(login) })
    await expect(world.call(provider)).rejects.toMatchObject({ name: 'DiscoveryError' })
    expect(shown).toEqual([])
  })

  test('a URL at another host is shown only if the application has named the issuer', async () => {
    const elsewhere = 'https://login.example.net/devicelogin'
    for (const verification of [
      { verification_uri: elsewhere },
      { verification_uri_complete: elsewhere },
    ]) {
      const world = await oauthWorld(device([], verification))
      const shown: DeviceLogin[] = []
      const onUserCode = (login: DeviceLogin) => void shown.push(login)
      const plain = { clientId: 'tv', allowPrivateNetwork: true, onUserCode }
      const refused = world.call(deviceCode(plain))
      await expect(refused).rejects.toMatchObject({ name: 'DiscoveryError', retryable: false })
      await expect(refused).rejects.toThrow('https://login.example.net')
      expect(shown).toEqual([])
      const pinned = deviceCode({ ...plain, issuer: world.issuer })
      expect((await world.call(pinned)).status).toBe(200)
      expect(shown).toHaveLength(1)
    }
  })

  test.each([
    ['https://accounts.google.com', 'https://www.google.com/device'],
    ['https://login.microsoftonline.com/common/v2.0', 'https://microsoft.com/devicelogin'],
  ])('the users of %s are shown %s', (issuer, address) => {
    const { isTrusted = false } = profileOf(issuer)
    const server = { issuer, isTrusted, metadata: { issuer } }
    const resource = new URL('https://mcp.example.com/mcp')
    const check = (found: typeof server) =>
      checkOwnPage(found, 'verification_uri', new URL(address), resource)
    expect(() => check(server)).not.toThrow()
    expect(() => check({ ...server, isTrusted: false })).toThrow(
      'it is not known that they belong together',
    )
  })

  test('a server without this grant is named, with an alternative', async () => {
    const world = await oauthWorld()
    const provider = deviceCode({ clientId: 'tv', onUserCode: () => {} })
    await expect(world.call(provider)).rejects.toThrow(
      /does not offer login on another device.*authorizationCode/,
    )
  })
})

describe('tokenExchange', () => {
  test('sends subject and actor with their types', async () => {
    const world = await oauthWorld()
    const provider = tokenExchange({
      ...agent,
      issuer: world.issuer,
      subjectToken: async () => 'user-token',
      actorToken: 'agent-token',
      actorTokenType: 'jwt',
      scope: 'notes',
    })
    expect((await world.call(provider)).status).toBe(200)
    expect(world.tokenRequests()).toEqual([
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: 'user-token',
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        actor_token: 'agent-token',
        actor_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        resource: world.url,
        scope: 'notes',
      },
    ])
  })
})

test.each(['N_A', 'mac'])(
  'row 78: a token of type %s that was exchanged is never sent on',
  async (token_type) => {
    const world = await oauthWorld({ token: () => ({ body: tokenAnswer(1, { token_type }) }) })
    const provider = tokenExchange({ ...agent, issuer: world.issuer, subjectToken: 'user-token' })
    await expect(world.call(provider)).rejects.toMatchObject({ code: 'invalid_response' })
    expect(world.mcpServer.requests.map(({ headers }) => headers.authorization)).not.toContain(
      'Bearer access-1',
    )
  },
)

test.each([
  ['refresh_token', 400],
  ['id_token', 400],
  ['saml2', 400],
  ['access_token', 200],
  ['jwt', 200],
  [undefined, 200],
])('an exchange that issued a token of the type %s ends with %i', async (type, status) => {
  const issued_token_type = type && `urn:ietf:params:oauth:token-type:${type}`
  const world = await oauthWorld({
    token: (_params, count) => ({ body: tokenAnswer(count, { issued_token_type }) }),
  })
  const provider = tokenExchange({ ...agent, issuer: world.issuer, subjectToken: 'user-token' })
  const answer = await world.call(provider).catch((error: unknown) => error)
  if (status === 200) return expect(answer).toMatchObject({ status })
  expect(answer).toMatchObject({ code: 'invalid_response', retryable: false })
  expect(world.mcpServer.requests.map(({ headers }) => headers.authorization)).not.toContain(
    'Bearer access-1',
  )
})

describe('jwtBearer', () => {
  test('rows 89, 91: the assertion is read again for each token request', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'assertion-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'token')
    await writeFile(path, 'platform-1\n')
    const world = await oauthWorld()
    let time = Date.now()
    const provider = jwtBearer({ clientId: 'job', issuer: world.issuer, assertion: file(path) })
    const send = authorizedFetch(provider, { resource: world.url, now: () => time })
    await send.manager.credential()
    await writeFile(path, 'platform-2\n')
    time += 3_700_000
    await send.manager.credential()
    expect(world.tokenRequests()).toMatchObject([
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: 'platform-1',
        client_id: 'job',
      },
      { assertion: 'platform-2', resource: world.url },
    ])
  })

  test.each(['invalid_grant', 'invalid_scope', 'unauthorized_client'])(
    'row 90: %s reaches the caller unchanged, and nothing else is tried',
    async (error) => {
      const world = await oauthWorld({ token: () => ({ status: 400, body: { error } }) })
      const provider = jwtBearer({ clientId: 'job', issuer: world.issuer, assertion: 'x' })
      await expect(world.call(provider)).rejects.toMatchObject({ code: error, retryable: false })
      expect(world.tokenRequests()).toHaveLength(1)
    },
  )
})

describe('enterpriseManaged', () => {
  async function enterprise(profiles?: unknown, issued: object = {}, changes: object = {}) {
    const idp = await oauthWorld({
      token: (params) => ({
        body: {
          access_token: idJag(params.get('audience'), changes),
          token_type: 'N_A',
          issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
          ...issued,
        },
      }),
    })
    const world = await oauthWorld({
      metadata: () => ({ authorization_grant_profiles_supported: profiles }),
    })
    const provider = enterpriseManaged({
      ...agent,
      issuer: world.issuer,
      identityProvider: { issuer: idp.issuer, clientId: 'at-idp', clientSecret: 'idp-secret' },
      subjectToken: 'id-token',
    })
    return { idp, world, provider }
  }
  const idJagPattern: unknown = expect.stringMatching(/\.id-jag-signature$/)
  const profile = 'urn:ietf:params:oauth:grant-profile:id-jag'

  test('rows 75, 76, 78, 79, 81: the identity provider issues a grant for one authorization server, which alone sees it', async () => {
    const { idp, world, provider } = await enterprise([profile])
    const events: CredentialEvent[] = []
    const onEvent = (event: CredentialEvent) => void events.push(event)
    expect((await world.call(provider, { onEvent })).status).toBe(200)
    expect(JSON.stringify(events)).not.toMatch(/id-jag-signature|id-token/)
    expect(idp.tokenRequests()).toEqual([
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
        audience: world.issuer,
        resource: world.url,
        subject_token: 'id-token',
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      },
    ])
    expect(world.tokenRequests()).toMatchObject([
      { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: idJagPattern },
    ])
    const seen = JSON.stringify(world.mcpServer.requests)
    expect(seen).not.toMatch(/id-jag-signature|id-token/)
    expect(JSON.stringify([...idp.paths(), ...world.paths()])).not.toMatch(
      /id-jag-signature|id-token/,
    )
  })

  test('row 80: a server whose listed profiles lack this one is not tried', async () => {
    const { idp, world, provider } = await enterprise(['urn:example:other'])
    await expect(world.call(provider)).rejects.toMatchObject({ code: 'unsupported_server' })
    expect(idp.tokenRequests()).toEqual([])
  })

  test('row 78: a token of another type is never sent on', async () => {
    const { world, provider } = await enterprise(undefined, {
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
    await expect(world.call(provider)).rejects.toMatchObject({ code: 'invalid_response' })
    expect(world.tokenRequests()).toEqual([])
  })

  const now = Math.floor(Date.now() / 1000)
  test.each([
    ['for another authorization server', { aud: 'https://other.example' }, 'is for another server'],
    ['without an audience', { aud: undefined }, 'is for another server'],
    ['of another type', { typ: 'JWT' }, 'is a token of a different type'],
    ['that has expired', { exp: now - 120 }, 'has expired'],
    ['that never expires', { exp: undefined }, 'has expired'],
    ['whose expiry is not a number', { exp: '9999999999' }, 'has expired'],
  ])('row 78: a grant %s is never sent', async (_what, changes, problem) => {
    const { world, provider } = await enterprise(undefined, {}, changes)
    const error = await world.call(provider).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid_response' })
    expect((error as Error).message).toContain(problem)
    expect((error as Error).message).not.toContain('other.example')
    expect(world.tokenRequests()).toEqual([])
  })

  test('row 78: a grant that is not a JWT is never sent', async () => {
    const { world, provider } = await enterprise(undefined, { access_token: 'opaque' })
    await expect(world.call(provider)).rejects.toThrow('is a token of a different type')
    expect(world.tokenRequests()).toEqual([])
  })

  test('row 78: a grant for several audiences, with the long name of its type, is sent', async () => {
    const typ = 'application/OAuth-ID-JAG+JWT'
    const changes: { typ: string; aud?: string[] } = { typ }
    const { world, provider } = await enterprise(undefined, {}, changes)
    changes.aud = ['https://other.example', world.issuer]
    expect((await world.call(provider)).status).toBe(200)
  })

  test('row 77: a missing client at the identity provider is rejected at construction', () => {
    const identityProvider = { issuer: 'https://idp.example' } as never
    expect(() => enterpriseManaged({ clientId: 'a', identityProvider, subjectToken: 't' })).toThrow(
      'enterpriseManaged.identityProvider.clientId is missing',
    )
  })
})

describe('tokenEndpoint', () => {
  async function homeMade(body: unknown, status = 200) {
    const endpoint = await recordingOrigin((_request, response) => {
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body))
    })
    const world = await oauthWorld()
    return { endpoint, world }
  }

  test('sends the fields as JSON or as a form', async () => {
    const { endpoint, world } = await homeMade({ data: { token: 'home-made', ttl: '60' } })
    const shared = {
      url: `${endpoint.origin}/auth`,
      fields: { clientId: 'a', clientSecret: () => 's3cret' },
      tokenField: 'data.token',
      expiresInField: 'data.ttl',
    }
    const send = authorizedFetch(tokenEndpoint(shared), { resource: world.url, now: () => 1000 })
    expect((await send(world.url)).status).toBe(200)
    expect((await send.manager.credential()).expiresAt).toBe(61_000)
    await world.call(tokenEndpoint({ ...shared, format: 'form', headers: { 'X-Key': 'k' } }))
    expect(endpoint.requests.map(({ body, headers }) => [body, headers['x-key']])).toEqual([
      ['{"clientId":"a","clientSecret":"s3cret"}', undefined],
      ['clientId=a&clientSecret=s3cret', 'k'],
    ])
    expect(world.mcpServer.requests.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer home-made',
      'Bearer home-made',
    ])
  })

  test.each([
    [401, '', { code: 'invalid_client', status: 401 }],
    [503, '', { code: 'server_error', retryable: true }],
    [200, '<html>home-made-secret', { code: 'invalid_response' }],
    [200, '{"token":"home-made-secret"}', { code: 'invalid_response' }],
    [200, '{"access_token":"home-made\\nsecret"}', { code: 'invalid_response' }],
    [302, '', { code: 'invalid_response' }],
  ])('%d %j causes a typed error that shows nothing of it', async (status, body, expected) => {
    const { endpoint, world } = await homeMade(body, status)
    const provider = tokenEndpoint({ url: endpoint.origin, fields: { key: 'field-secret' } })
    const error = await world.call(provider).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject(expected)
    expect(inspect(error, { depth: 10 })).not.toMatch(/home-made-secret|field-secret/)
  })

  test.each([
    [{ url: 'http://example.com', fields: {} }, 'url'],
    [{ url: 'https://u:p@example.com', fields: {} }, 'url'],
    [{ url: 'x', fields: {} }, 'url'],
    [{ url: 'https://example.com' }, 'fields'],
    [{ url: 'https://example.com', fields: { a: 7 } }, 'fields.a'],
    [{ url: 'https://example.com', fields: {}, format: 'xml' }, 'format'],
    [{ url: 'https://example.com', fields: {}, body: {} }, 'body'],
  ])('%j is rejected at construction', (options, option) => {
    expect(() => tokenEndpoint(options as never)).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', option: `tokenEndpoint.${option}` }),
    )
  })
})

describe('a rejected grant', () => {
  test.each([
    [
      'clientCredentials',
      (issuer: string) => clientCredentials({ ...agent, issuer }),
      'The grant has expired or is invalid; supply a new one.',
    ],
    [
      'refreshToken',
      (issuer: string) => refreshToken({ clientId: 'agent', issuer, refreshToken: 'refresh-0' }),
      'Pass the refresh token of a new login.',
    ],
    [
      'deviceCode',
      (issuer: string) => deviceCode({ clientId: 'agent', issuer, onUserCode: () => {} }),
      'Call `login()`, so that the user can log in again.',
    ],
  ])('makes %s say what helps', async (_name, provider, remedy) => {
    const deviceLogin = {
      device_code: 'device-1',
      user_code: 'ABCD',
      verification_uri: 'https://auth.example.com/device',
      expires_in: 60,
      interval: 0.01,
    }
    const world = await oauthWorld({
      metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
      token: (params) =>
        params.has('grant_type')
          ? { status: 400, body: { error: 'invalid_grant' } }
          : { body: deviceLogin },
    })
    const failure = world.call(provider(world.issuer))
    await expect(failure).rejects.toMatchObject({ remedy })
  })
})

test('scopes in a list are rejected instead of sent as one', () => {
  const scope = ['notes:read', 'notes:write'] as never
  expect(() => deviceCode({ clientId: 'tv', onUserCode: () => {}, scope })).toThrow(
    expect.objectContaining({ option: 'deviceCode.scope' }),
  )
})

describe('options that bind a secret to its issuer', () => {
  test.each([
    ['clientCredentials', () => clientCredentials(agent)],
    ['tokenExchange', () => tokenExchange({ clientId: 'a', subjectToken: 't' } as never)],
    ['jwtBearer', () => jwtBearer({ clientId: 'a', assertion: 't' } as never)],
    ['refreshToken', () => refreshToken({ clientId: 'a', refreshToken: 't' } as never)],
  ])('row 35: %s requires the issuer', (name, build) => {
    expect(build).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', option: `${name}.issuer` }),
    )
  })
})

describe('logout', () => {
  test('row 82: revokes the refresh token and the access token, and deletes both', async () => {
    const world = await oauthWorld({
      metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
      token: (params, count) =>
        params.has('token')
          ? { body: '' }
          : { body: tokenAnswer(count, { refresh_token: 'refresh-1' }) },
    })
    const provider = refreshToken({
      clientId: 'agent',
      issuer: world.issuer,
      refreshToken: 'refresh-0',
    })
    const { manager } = authorizedFetch(provider, { resource: world.url })
    await manager.credential()
    expect(await manager.logout()).toEqual({ revoked: true })
    expect(manager.current()).toBeUndefined()
    expect(world.tokenRequests().slice(1)).toEqual([
      { token: 'refresh-1', token_type_hint: 'refresh_token', client_id: 'agent' },
      { token: 'access-1', token_type_hint: 'access_token', client_id: 'agent' },
    ])
  })

  test('says that nothing was revoked if the server does not support revocation', async () => {
    const world = await oauthWorld()
    const provider = clientCredentials({ ...agent, issuer: world.issuer })
    const { manager } = authorizedFetch(provider, { resource: world.url })
    await manager.credential()
    expect(await manager.logout()).toEqual({
      revoked: false,
      reason: expect.stringContaining(' does not support revocation of these tokens. '),
    })
    expect(manager.current()).toBeUndefined()
  })
})

test('keys of other types are imported for assertions too', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const world = await oauthWorld()
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const clientAuth = privateKeyJwt({ key, algorithm: 'EdDSA' })
  await world.call(clientCredentials({ clientId: 'agent', clientAuth }))
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const jwk = await exportJWK(await importSPKI(pem, 'EdDSA'))
  const assertion = world.tokenRequests()[0]?.['client_assertion'] ?? ''
  const { payload } = await jwtVerify(
    assertion,
    createLocalJWKSet({ keys: [{ ...jwk, alg: 'EdDSA' }] }),
  )
  expect(payload.sub).toBe('agent')
})
