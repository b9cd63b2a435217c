import { readFileSync } from 'node:fs'
import { decodeJwt } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from '../../examples/servers/authorization-server.ts'
import { createCertificateAuthority } from '../../examples/servers/certificates.ts'
import {
  mcpRequests,
  type OAuthServerOptions,
  startOAuthServer,
} from '../../examples/servers/oauth-server.ts'
import { startPlatform } from '../../examples/servers/platform.ts'
import { authorizedFetch, type CredentialProvider, withCredentials } from '../../src/index.ts'
import { mutualTls } from '../../src/node/index.ts'
import {
  authorizationCode,
  clientCredentials,
  deviceCode,
  jwtBearer,
  privateKeyJwt,
  refreshToken,
  tokenExchange,
} from '../../src/oauth/index.ts'
import { generateSigningKey } from '../../src/providers/generate-signing-key.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { sdks } from '../support/sdk.ts'

const machine = {
  client_id: 'machine',
  client_secret: 'machine-secret-of-good-length',
  grant_types: [
    'client_credentials',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:grant-type:token-exchange',
  ],
  response_types: [],
  redirect_uris: [],
}

/** An authorization server and an MCP server that accepts its tokens. */
async function start(
  authorization: AuthorizationServerOptions = {},
  mcp: Partial<OAuthServerOptions> = {},
) {
  const as = await startAuthorizationServer(authorization)
  onTestFinished(() => as.close())
  const server = await startOAuthServer({ issuer: as.issuer, ...mcp })
  onTestFinished(() => server.close())
  const post = (provider: CredentialProvider, options = {}) =>
    withCredentials(provider, options).fetch(server.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
  return { as, server, post, login: { onAuthorizationUrl: as.approve } }
}

describe.each(sdks)('a login through $name', (sdk) => {
  test.each(['stateful', 'stateless'] as const)(
    'rows 1, 10, 24: over a %s server, registers, logs in, and calls tools',
    async (kind) => {
      const { as, server, login } = await start({}, { kind, scopes: ['notes:read'] })
      const client = sdk.client()
      const fetch = authorizedFetch(authorizationCode(login), { resource: server.url })
      await fetch.manager.credential()
      await client.connect(sdk.streamable(server.url, { fetch }))
      const answer = await client.callTool({ name: 'echo', arguments: { text: 'hi' } })
      expect(JSON.stringify(answer)).toContain('hi')
      await client.close()
      expect(as.tokenRequests.map(({ grantType, status }) => [grantType, status])).toEqual([
        ['authorization_code', 200],
      ])
      // A login before the first request asks what the server wants.
      const [question, ...requests] = mcpRequests(server)
      expect(question).toMatchObject({ method: 'POST', status: 401 })
      expect(requests.every(({ authenticated }) => authenticated)).toBe(true)
    },
  )

  test('a revoked token is renewed with the refresh token, without a person', async () => {
    const { as, server, login } = await start()
    const client = sdk.client()
    const fetch = authorizedFetch(authorizationCode(login), { resource: server.url })
    await client.connect(sdk.streamable(server.url, { fetch }))
    server.revokeAll()
    await client.listTools()
    await client.close()
    expect(as.tokenRequests.map(({ grantType }) => grantType)).toEqual([
      'authorization_code',
      'refresh_token',
    ])
  })

  test('a tool that needs more leads to one further login with all scopes', async () => {
    const { as, server, login } = await start(
      {},
      { scopes: ['notes:read'], toolScopes: { echo: 'notes:write' } },
    )
    const asked: (string | null)[] = []
    const onAuthorizationUrl = (url: URL) => {
      asked.push(url.searchParams.get('scope'))
      return as.approve(url)
    }
    const client = sdk.client()
    const provider = authorizationCode({ ...login, onAuthorizationUrl })
    const fetch = withCredentials(provider).fetch
    await client.connect(sdk.streamable(server.url, { fetch }))
    await client.callTool({ name: 'echo', arguments: { text: 'hi' } })
    await client.close()
    expect(asked[0]).toContain('notes:read')
    expect(asked.at(-1)).toContain('notes:write')
    expect(asked.length).toBeLessThanOrEqual(2)
  })
})

describe('a rotating refresh token', () => {
  test('200 parallel requests after a revocation cost one renewal, and the family lives', async () => {
    const { as, server, login } = await start({}, { kind: 'stateless' })
    const fetch = authorizedFetch(authorizationCode(login), { resource: server.url })
    await fetch.manager.credential()
    const call = () =>
      fetch(server.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
      })
    for (let round = 0; round < 3; round += 1) {
      expect((await call()).status).toBe(200)
      server.revokeAll()
      const statuses = (await Promise.all(Array.from({ length: 200 }, call))).map((r) => r.status)
      expect(new Set(statuses)).toEqual(new Set([200]))
    }
    expect(as.tokenRequests.map(({ grantType, status }) => `${grantType} ${status}`)).toEqual([
      'authorization_code 200',
      'refresh_token 200',
      'refresh_token 200',
      'refresh_token 200',
    ])
  })

  test('tokens of two seconds are renewed before they end', async () => {
    const { as, server, login } = await start({ tokenLifetime: 2 })
    let time = Date.now()
    const fetch = authorizedFetch(authorizationCode(login), {
      resource: server.url,
      now: () => time,
    })
    const first = await fetch.manager.credential()
    time += 1900
    const second = await fetch.manager.credential()
    expect(second).not.toBe(first)
    expect(as.tokenRequests).toHaveLength(2)
  })

  test('a refresh token from elsewhere, used twice, ends in one clear error', async () => {
    const client = {
      client_id: 'native',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
    }
    const { as, server, login } = await start({ clients: [client] })
    const provider = authorizationCode({ ...login, clientId: 'native', issuer: as.issuer })
    const { manager } = authorizedFetch(provider, { resource: server.url })
    const stolen = (await manager.credential()).record?.data['refreshToken'] as string
    const shared = { clientId: 'native', issuer: as.issuer, refreshToken: stolen }
    const one = authorizedFetch(refreshToken(shared), { resource: server.url })
    const two = authorizedFetch(refreshToken(shared), { resource: server.url })
    await one.manager.credential()
    await expect(two.manager.credential()).rejects.toMatchObject({
      code: 'login_required',
      reason: 'grant_rejected',
    })
  })
})

describe('without a person', () => {
  test('row 72: client credentials with a secret', async () => {
    const { as, post } = await start({ clients: [machine] }, { kind: 'stateless' })
    const { client_id: clientId, client_secret: clientSecret } = machine
    const provider = clientCredentials({ clientId, clientSecret, issuer: as.issuer })
    expect((await post(provider)).status).toBe(200)
  })

  test.each(['ES256', 'RS256', 'PS256', 'EdDSA'] as const)(
    'client credentials with a key (%s)',
    async (algorithm) => {
      const { privateKey, jwks, keyId } = await generateSigningKey(algorithm)
      const client = {
        client_id: 'keyed',
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: algorithm,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        jwks,
      }
      const { post } = await start({ clients: [client] }, { kind: 'stateless' })
      const clientAuth = privateKeyJwt({ key: privateKey, algorithm, keyId })
      expect((await post(clientCredentials({ clientId: 'keyed', clientAuth }))).status).toBe(200)
    },
  )

  test('a workload exchanges the JWT of its platform', async () => {
    const platform = await startPlatform()
    onTestFinished(() => platform.close())
    const { as, post } = await start(
      { clients: [machine], platforms: [platform] },
      { kind: 'stateless' },
    )
    const shared = {
      clientId: machine.client_id,
      clientSecret: machine.client_secret,
      issuer: as.issuer,
    }
    const assertion = () => platform.issue({ subject: 'job', audience: as.issuer })
    expect((await post(jwtBearer({ ...shared, assertion }))).status).toBe(200)
    const exchanged = tokenExchange({ ...shared, subjectToken: assertion, subjectTokenType: 'jwt' })
    expect((await post(exchanged)).status).toBe(200)
    const forOthers = jwtBearer({
      ...shared,
      assertion: () => platform.issue({ subject: 'job', audience: 'https://other.example' }),
    })
    await expect(post(forOthers)).rejects.toMatchObject({ code: 'invalid_grant' })
  })

  test('a wrong secret says what is wrong', async () => {
    const { as, post } = await start({ clients: [machine] })
    const provider = clientCredentials({
      clientId: 'machine',
      clientSecret: 'wrong',
      issuer: as.issuer,
    })
    await expect(post(provider)).rejects.toMatchObject({ code: 'invalid_client', status: 401 })
  })
})

describe('a client with a certificate', () => {
  function certificates() {
    const authority = createCertificateAuthority()
    onTestFinished(() => authority.remove())
    const { cert, key } = authority.issue('server', { server: true })
    const [secret, chain, ca] = [key, cert, authority.ca].map((path) => readFileSync(path))
    const fetchAs = (name: string) => {
      const send = mutualTls({ ...authority.issue(name), ca: authority.ca })
      onTestFinished(() => send.close())
      return send
    }
    return { fetchAs, mutualTls: { key: secret, cert: chain, ca } }
  }
  const workload = {
    client_id: 'workload',
    token_endpoint_auth_method: 'tls_client_auth',
    tls_client_auth_subject_dn: 'CN=workload',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
  }
  const options = { clientId: 'workload', clientAuth: 'tls_client_auth' as const }

  test('shows it at the addresses that the server names for that', async () => {
    const { fetchAs, mutualTls } = certificates()
    const { as, post } = await start({ clients: [workload], mutualTls }, { kind: 'stateless' })
    const provider = clientCredentials({ ...options, issuer: as.issuer })
    expect((await post(provider, { fetch: fetchAs('workload') })).status).toBe(200)
    expect(as.tokenRequests).toHaveLength(1)
    expect(as.tokenRequests[0]).toMatchObject({
      grantType: 'client_credentials',
      parameters: { client_id: 'workload' },
      status: 200,
    })
  })

  test('is refused with the certificate of somebody else', async () => {
    const { fetchAs, mutualTls } = certificates()
    const { as, post } = await start({ clients: [workload], mutualTls })
    const provider = clientCredentials({ ...options, issuer: as.issuer })
    await expect(post(provider, { fetch: fetchAs('mallory') })).rejects.toMatchObject({
      code: 'invalid_client',
      status: 401,
    })
  })
})

describe('on another device', () => {
  test('a person enters the code, and the client goes on', async () => {
    const client = {
      client_id: 'tv',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: [],
      response_types: [],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    }
    const { as, post } = await start({ clients: [client] }, { kind: 'stateless' })
    const provider = deviceCode({
      clientId: 'tv',
      onUserCode: ({ userCode }) => as.approveDevice(userCode),
    })
    expect((await post(provider)).status).toBe(200)
  }, 20_000)
})

describe('proof of possession', () => {
  test.each([
    ['without nonces', undefined, false],
    ['with a nonce of the MCP server', 'mcp-nonce', false],
    ['with nonces of both servers', 'mcp-nonce', true],
  ])('rows 83 to 86, 88: %s', async (_what, nonce, asNonce) => {
    const { as, server, login } = await start(
      { dpopNonce: asNonce },
      { kind: 'stateless', dpop: true, ...(nonce === undefined ? {} : { dpopNonce: nonce }) },
    )
    const provider = authorizationCode({ ...login, dpop: true })
    const fetch = authorizedFetch(provider, { resource: server.url })
    const call = () =>
      fetch(server.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
      })
    expect((await Promise.all([call(), call(), call()])).map(({ status }) => status)).toEqual([
      200, 200, 200,
    ])
    const proofs = mcpRequests(server)
      .filter(({ authenticated }) => authenticated)
      .map(({ headers }) => String(headers['dpop']))
    expect(new Set(proofs.map((proof) => decodeJwt(proof).jti)).size).toBe(3)
    const claims = ['ath', 'htm', 'htu', 'iat', 'jti', ...(nonce === undefined ? [] : ['nonce'])]
    for (const proof of proofs) expect(Object.keys(decodeJwt(proof)).sort()).toEqual(claims)
    const before = mcpRequests(server).length
    expect((await call()).status).toBe(200)
    expect(mcpRequests(server).length - before).toBe(1)
    server.revokeAll()
    expect((await call()).status).toBe(200)
    expect(as.tokenRequests.filter(({ status }) => status === 200)).toHaveLength(2)
  })

  test('a key that was kept serves the tokens that are bound to it', async () => {
    const { server, login } = await start({}, { kind: 'stateless', dpop: true })
    const first = authorizationCode({ ...login, dpop: true })
    const { record } = await authorizedFetch(first, { resource: server.url }).manager.credential()
    expect(record?.data['dpopKey']).toMatchObject({ kty: 'EC' })
    const restored = authorizationCode({ ...login, dpop: true }).restore?.(
      JSON.parse(JSON.stringify(record)),
      acquireContext(),
    )
    const send = withCredentials({
      name: 'restored',
      acquire: async () => (await restored) ?? Promise.reject(),
    }).fetch
    const response = await send(server.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    })
    expect(response.status).toBe(200)
  })
})

test('logout makes both tokens void at the authorization server', async () => {
  const { as, server, login } = await start()
  const { manager } = authorizedFetch(authorizationCode(login), { resource: server.url })
  const { record } = await manager.credential()
  expect(await manager.logout()).toEqual({ revoked: true })
  const refused = authorizedFetch(
    refreshToken({
      clientId: String(record?.data['clientId']),
      issuer: as.issuer,
      refreshToken: String(record?.data['refreshToken']),
    }),
    { resource: server.url },
  )
  await expect(refused.manager.credential()).rejects.toMatchObject({ code: 'login_required' })
})
