import {
  Client as Client2,
  StreamableHTTPClientTransport as Transport2,
} from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  apiKey,
  authorizedFetch,
  bearer,
  ConfigurationError,
  type CredentialProvider,
  LoginRequiredError,
  withCredentials,
} from '../../src/index.ts'
import { authorizationCode, clientCredentials } from '../../src/oauth/index.ts'
import { testAuthorizationServer, testMcpServer, testServers } from '../../src/testing/index.ts'

const info = { name: 'test', version: '1.0.0' }

async function mcpServer(options: Parameters<typeof testMcpServer>[0] = {}) {
  const server = await testMcpServer(options)
  onTestFinished(() => server.close())
  return server
}

async function servers(options: Parameters<typeof testServers>[0] = {}) {
  const started = await testServers(options)
  onTestFinished(() => started.close())
  const { authorizationServer, resource } = started
  const grants = () => authorizationServer.tokenRequests().map(({ grant_type }) => grant_type)
  const post = (fetch: (url: URL, init: RequestInit) => Promise<Response>) =>
    fetch(resource, { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' })
  const person = () => authorizationCode({ onAuthorizationUrl: authorizationServer.visit })
  return { ...started, grants, post, person }
}

const clients = [
  {
    version: '1.x',
    make: () => new Client1(info),
    transport: (url: URL, provider: CredentialProvider) =>
      new Transport1(url, withCredentials(provider)),
  },
  {
    version: '2.x',
    make: () => new Client2(info),
    transport: (url: URL, provider: CredentialProvider) =>
      new Transport2(url, withCredentials(provider)),
  },
]

describe('testMcpServer', () => {
  for (const { version, make, transport } of clients) {
    it(`speaks with a client of SDK ${version}`, async () => {
      const { url, requests } = await mcpServer({ bearer: 'token-1' })
      const client = make()

      await client.connect(transport(url, bearer('token-1')) as never)
      const { tools } = await client.listTools()
      const answer = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
      await client.close()

      expect(tools.map(({ name }) => name)).toEqual(['echo'])
      expect(answer.content).toEqual([{ type: 'text', text: 'hello' }])
      expect(
        requests.every(({ headers }) => headers.get('Authorization') === 'Bearer token-1'),
      ).toBe(true)
    })
  }

  it('refuses the next requests, as often as it is told', async () => {
    const server = await mcpServer()
    const status = async () => (await fetch(server.url, { method: 'POST', body: '[]' })).status
    server.refuse(1)
    server.refuse(1, 503)

    expect([await status(), await status(), await status()]).toEqual([401, 503, 202])
    expect(server.requests.map((request) => request.status)).toEqual([401, 503, 202])
  })

  it('ends a former order to refuse', async () => {
    const server = await mcpServer()
    const status = async () => (await fetch(server.url, { method: 'POST', body: '[]' })).status
    server.refuse(Infinity)

    expect(await status()).toBe(401)
    server.refuse(0)
    expect(await status()).toBe(202)
    server.refuse(1)
    expect([await status(), await status()]).toEqual([401, 202])
  })

  it('lets in who has the API key, until that has expired', async () => {
    const server = await mcpServer({ apiKey: 'key-1' })
    const right = authorizedFetch(apiKey({ value: 'key-1' }), { resource: server.url })
    const wrong = authorizedFetch(apiKey({ value: 'key-2' }), { resource: server.url })
    const status = async (fetch: typeof right) =>
      (await fetch(server.url, { method: 'POST', body: '[]' })).status

    expect([await status(right), await status(wrong)]).toEqual([202, 401])
    server.expireTokens()
    expect(await status(right)).toBe(401)
  })

  it('asks for a scope that the request does not have', async () => {
    const server = await mcpServer({ accept: () => ({ scope: 'read' }) })
    server.requireScope('write')

    const response = await fetch(server.url, { method: 'POST', body: '[]' })

    expect(response.status).toBe(403)
    expect(response.headers.get('WWW-Authenticate')).toBe(
      'Bearer error="insufficient_scope", scope="write"',
    )
    server.requireScope('read')
    expect((await fetch(server.url, { method: 'POST', body: '[]' })).status).toBe(202)
  })

  it('refuses options that do not exist or contradict each other', async () => {
    await expect(testMcpServer({ token: 'x' } as object)).rejects.toThrow(ConfigurationError)
    await expect(testMcpServer({ bearer: 'x', apiKey: 'y' })).rejects.toThrow(ConfigurationError)
  })
})

describe('testServers', () => {
  it('logs a person in, and renews an expired token', async () => {
    const { resource, mcp, grants, post, person } = await servers()
    const fetch = authorizedFetch(person(), { resource })

    const first = await post(fetch)
    mcp.expireTokens()
    const second = await post(fetch)

    expect([first.status, second.status]).toEqual([200, 200])
    expect(grants()).toEqual(['authorization_code', 'refresh_token'])
  })

  it('gives a client a token of its own', async () => {
    const { resource, authorizationServer, post, grants } = await servers()
    const { issuer } = authorizationServer
    const provider = clientCredentials({ clientId: 'agent', clientSecret: 'secret', issuer })

    expect((await post(authorizedFetch(provider, { resource }))).status).toBe(200)
    expect(grants()).toEqual(['client_credentials'])
  })

  it('ends a login whose refresh token is refused', async () => {
    const { resource, authorizationServer, mcp, post } = await servers()
    let visits = 0
    const provider = authorizationCode({
      async onAuthorizationUrl(url) {
        visits += 1
        if (visits > 1) throw new LoginRequiredError('no_credential', 'Nobody is there.')
        await authorizationServer.visit(url)
      },
    })
    const fetch = authorizedFetch(provider, { resource })
    await post(fetch)

    mcp.expireTokens()
    authorizationServer.refuse(1)

    await expect(post(fetch)).rejects.toThrow(LoginRequiredError)
  })

  it('ends a former order to refuse, and keeps that of an outage', async () => {
    const { authorizationServer } = await servers()
    const status = async () =>
      (await fetch(new URL('/token', authorizationServer.issuer), { method: 'POST' })).status
    authorizationServer.refuse(Infinity)
    authorizationServer.failNext(503)

    expect(await status()).toBe(400)
    authorizationServer.refuse(0)
    expect(await status()).toBe(503)
  })

  it('asks for a further scope, and grants it', async () => {
    const { resource, mcp, authorizationServer, post, person } = await servers()
    const fetch = authorizedFetch(person(), { resource })
    await post(fetch)
    mcp.requireScope('notes:write')

    expect((await post(fetch)).status).toBe(200)
    const logins = authorizationServer.requests.filter(({ url }) => url.pathname === '/authorize')
    expect(logins.map(({ url }) => url.searchParams.get('scope'))).toEqual([
      null,
      expect.stringContaining('notes:write'),
    ])
  })

  it('revokes everything of a login whose refresh token is used twice', async () => {
    const { resource, authorizationServer, mcp, post, person } = await servers()
    const fetch = authorizedFetch(person(), { resource })
    await post(fetch)
    authorizationServer.expireTokens()
    await post(fetch)
    const [, refresh] = authorizationServer.tokenRequests()
    const current = mcp.requests.at(-1)?.headers.get('Authorization')?.slice(7) ?? ''
    const again = () =>
      globalThis.fetch(`${authorizationServer.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams(refresh),
      })

    expect(authorizationServer.inspect(current)).toMatchObject({ resource: resource.href })
    expect((await again()).status).toBe(400)
    expect(authorizationServer.inspect(current)).toBeUndefined()
  })

  it('lets tokens live as long as it is told, by the clock that it is given', async () => {
    let time = 0
    const { authorizationServer, resource, mcp, post } = await servers({
      tokenLifetime: 120,
      expiresIn: false,
      now: () => time,
    })
    const { issuer } = authorizationServer
    const provider = clientCredentials({ clientId: 'agent', clientSecret: 'secret', issuer })
    const fetch = authorizedFetch(provider, { resource })
    await post(fetch)
    const token = mcp.requests.at(-1)?.headers.get('Authorization')?.slice(7) ?? ''

    time += 119_999
    expect(authorizationServer.inspect(token)).toBeDefined()
    time += 1
    expect(authorizationServer.inspect(token)).toBeUndefined()
  })

  it('fails the next token request with the status it is told', async () => {
    const { resource, authorizationServer, post } = await servers()
    const { issuer } = authorizationServer
    const provider = clientCredentials({ clientId: 'agent', clientSecret: 'secret', issuer })
    authorizationServer.failNext(503)

    const failing = post(authorizedFetch(provider, { resource }))

    await expect(failing).rejects.toMatchObject({ retryable: true })
  })

  it('refuses a token that was issued for another server', async () => {
    const { mcp, authorizationServer, post } = await servers()
    const { issuer } = authorizationServer
    const resource = 'https://other.example.com/mcp'
    const provider = clientCredentials({ clientId: 'agent', clientSecret: 'x', issuer, resource })

    expect((await post(authorizedFetch(provider, { resource: mcp.url }))).status).toBe(401)
  })
})

describe('testAuthorizationServer', () => {
  it('refuses options that do not exist or make no sense', async () => {
    await expect(testAuthorizationServer({ lifetime: 1 } as object)).rejects.toThrow(
      ConfigurationError,
    )
    await expect(testAuthorizationServer({ tokenLifetime: 0 })).rejects.toThrow(ConfigurationError)
  })
})
