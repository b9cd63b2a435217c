import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { authorizedFetch, basic, type TokenManagerOptions } from '../../src/index.ts'
import { toAuthProvider, toOAuthClientProvider } from '../../src/mcp/index.ts'
import { authorizationCode, clientCredentials } from '../../src/oauth/index.ts'
import { testServers } from '../../src/testing/index.ts'
import { type TestClock, testClock } from '../support/clock.ts'
import { countingTokens } from '../support/tokens.ts'

async function start() {
  const servers = await testServers()
  onTestFinished(() => servers.close())
  const { authorizationServer } = servers
  const provider = authorizationCode({ onAuthorizationUrl: authorizationServer.visit })
  const grants = () => authorizationServer.tokenRequests().map(({ grant_type }) => grant_type)
  return { ...servers, provider, grants }
}

test('SDK 2.x: a provider serves as its authProvider, which renews the credential after a 401', async () => {
  const { resource, mcp, provider, grants } = await start()
  const authProvider = toAuthProvider(provider, { resource })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(resource, { authProvider }))
  expect(mcp.requests[0]?.headers.has('Authorization')).toBe(false)
  mcp.expireTokens()
  await client.listTools()
  await client.close()
  expect(grants()).toEqual(['authorization_code', 'refresh_token'])
})

test('SDK 1.x: a provider serves as its authProvider, and the call after a 401 succeeds', async () => {
  const { authorizationServer, resource, mcp, provider, grants } = await start()
  // The SDK's own type, so that users need no cast.
  const authProvider: OAuthClientProvider = toOAuthClientProvider(provider, { resource })
  const client = new ClientV1({ name: 'test', version: '1.0.0' })
  const transport = new TransportV1(resource, { authProvider: authProvider as never })
  await client.connect(transport)
  mcp.expireTokens()
  await expect(client.listTools()).rejects.toThrow('Unauthorized')
  await client.listTools()
  await client.close()
  expect(grants()).toEqual(['authorization_code', 'refresh_token'])
  // Nothing but our own login was sent to the authorization server.
  const paths = authorizationServer.requests.map(({ url }) => url.pathname)
  expect(paths.filter((path) => path === '/register')).toHaveLength(1)
  expect(mcp.requests.map(({ url }) => url.pathname)).not.toContain('/unused')
})

test('SDK 2.x: a refusal that arrives after the renewal does not cost the new token', async () => {
  const provider = countingTokens()
  const clock = testClock()
  const options = { resource: 'https://mcp.example.com', now: clock.now }
  const { token, onUnauthorized } = toAuthProvider(provider, options)
  const response = new Response(null, { status: 401 })
  const requests = [await token(), await token()]

  await onUnauthorized({ response })
  const repetition = await token()
  clock.advance(2000)
  await onUnauthorized({ response })

  expect([...requests, repetition, await token()]).toEqual([
    'token-1',
    'token-1',
    'token-2',
    'token-2',
  ])
  expect(provider.reasons).toEqual(['missing', 'rejected'])
})

test('a credential that is no bearer token is refused, without its value', async () => {
  const provider = basic({ username: 'user', password: 'pa55word' })
  const { token } = toAuthProvider(provider, { resource: 'https://mcp.example.com/mcp' })
  await expect(token()).rejects.toMatchObject({ code: 'invalid_credential' })
  await expect(token()).rejects.not.toThrow('pa55word')
})

// Hundreds of real requests: a machine that is busy takes its time.
describe('on a server whose tokens die after 120 s without saying so', { timeout: 60_000 }, () => {
  // A call of the older SDK ends with the 401; its UnauthorizedError means: repeat.
  const sdks = [
    { version: '2.x', client: newerClient, attempts: 1 },
    { version: '1.x', client: olderClient, attempts: 2 },
  ]
  for (const { version, client, attempts } of sdks) {
    for (const [step, parallel] of [
      [12, 1],
      [4, 4],
      [12, 20],
    ] as const) {
      const pace = `one call every ${step} s`
      test(`SDK ${version}: ${parallel === 1 ? pace : `${parallel} calls every ${step} s`} succeed`, async () => {
        const { clock, call, close } = await client()

        let failures = 0
        for (let done = 0; done < 600; done += parallel) {
          const calls = Array.from({ length: parallel }, () => repeat(attempts, call))
          const outcomes = await Promise.allSettled(calls)
          failures += outcomes.filter(({ status }) => status === 'rejected').length
          clock.advance(step * 1000)
        }
        await close()

        expect(failures).toBe(0)
      })
    }

    for (const parallel of [1, 5]) {
      test(`SDK ${version}: renewals become rare when the server refuses for ever, with ${parallel} calls at a time`, async () => {
        const { clock, call, close, servers } = await client()
        await call()
        const expected = await renewalsOfAuthorizedFetch()
        servers.mcp.refuse(Infinity)
        const before = servers.authorizationServer.tokenRequests().length

        for (let second = 0; second < 600; second += parallel) {
          await Promise.allSettled(Array.from({ length: parallel }, call))
          clock.advance(parallel * 1000)
        }
        await close()

        const renewals = servers.authorizationServer.tokenRequests().length - before
        expect(renewals).toBeGreaterThan(0)
        expect(renewals).toBeLessThanOrEqual(expected + 1)
      })
    }
  }
})

async function world() {
  const clock = testClock()
  const servers = await testServers({ tokenLifetime: 120, expiresIn: false, now: clock.now })
  onTestFinished(() => servers.close())
  const { issuer } = servers.authorizationServer
  const provider = clientCredentials({ clientId: 'agent', clientSecret: 'secret', issuer })
  const options: TokenManagerOptions = { resource: servers.resource, now: clock.now }
  return { clock, servers, provider, options }
}

async function newerClient(): Promise<TestedClient> {
  const { clock, servers, provider, options } = await world()
  const authProvider = toAuthProvider(provider, options)
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(servers.resource, { authProvider }))
  const call = () => client.callTool({ name: 'echo', arguments: { text: 'x' } })
  return { clock, servers, call, close: () => client.close() }
}

async function olderClient(): Promise<TestedClient> {
  const { clock, servers, provider, options } = await world()
  const authProvider = toOAuthClientProvider(provider, options) as never
  const client = new ClientV1({ name: 'test', version: '1.0.0' })
  await client.connect(new TransportV1(servers.resource, { authProvider }) as never)
  const call = () => client.callTool({ name: 'echo', arguments: { text: 'x' } })
  return { clock, servers, call, close: () => client.close() }
}

interface TestedClient {
  readonly clock: TestClock
  readonly servers: Awaited<ReturnType<typeof testServers>>
  call(): Promise<unknown>
  close(): Promise<void>
}

async function repeat(attempts: number, call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    if (attempts === 1) throw error
    return repeat(attempts - 1, call)
  }
}

/** How many renewals ten minutes of refusals cost where every answer is seen. */
async function renewalsOfAuthorizedFetch(): Promise<number> {
  const { clock, servers, provider, options } = await world()
  const fetch = authorizedFetch(provider, options)
  const send = () => fetch(servers.resource, { method: 'POST', body: '[]' })
  await send()
  servers.mcp.refuse(Infinity)
  for (let second = 0; second < 600; second += 1) {
    await send()
    clock.advance(1000)
  }
  return servers.authorizationServer.tokenRequests().length - 1
}
