import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, onTestFinished, test } from 'vitest'
import { startAuthorizationServer } from '../../examples/servers/authorization-server.ts'
import { mcpRequests, startOAuthServer } from '../../examples/servers/oauth-server.ts'
import { basic } from '../../src/index.ts'
import { toAuthProvider, toOAuthClientProvider } from '../../src/mcp/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'

async function start() {
  const as = await startAuthorizationServer()
  onTestFinished(() => as.close())
  const server = await startOAuthServer({ issuer: as.issuer })
  onTestFinished(() => server.close())
  const provider = authorizationCode({ onAuthorizationUrl: as.approve })
  const grants = () => as.tokenRequests.map(({ grantType }) => grantType)
  return { as, server, provider, grants }
}

test('SDK 2.x: a provider serves as its authProvider, and heals a 401', async () => {
  const { server, provider, grants } = await start()
  const authProvider = toAuthProvider(provider, { resource: server.url })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, { authProvider }))
  expect(mcpRequests(server)[0]?.authenticated).toBe(false)
  server.revokeAll()
  await client.listTools()
  await client.close()
  expect(grants()).toEqual(['authorization_code', 'refresh_token'])
})

test('SDK 1.x: a provider serves as its authProvider, and the call after a 401 succeeds', async () => {
  const { as, server, provider, grants } = await start()
  // The SDK's own type, so that users need no cast.
  const authProvider: OAuthClientProvider = toOAuthClientProvider(provider, {
    resource: server.url,
  })
  const client = new ClientV1({ name: 'test', version: '1.0.0' })
  const transport = new TransportV1(server.url, { authProvider: authProvider as never })
  await client.connect(transport)
  server.revokeAll()
  await expect(client.listTools()).rejects.toThrow('Unauthorized')
  await client.listTools()
  await client.close()
  expect(grants()).toEqual(['authorization_code', 'refresh_token'])
  // Nothing but our own login was sent to the authorization server.
  expect(as.paths.filter((path) => path === '/reg')).toHaveLength(1)
  expect(server.requests.map(({ path }) => path)).not.toContain('/unused')
})

test('a credential that is no bearer token is refused, without its value', async () => {
  const provider = basic({ username: 'user', password: 'pa55word' })
  const { token } = toAuthProvider(provider, { resource: 'https://mcp.example.com/mcp' })
  await expect(token()).rejects.toMatchObject({ code: 'invalid_credential' })
  await expect(token()).rejects.not.toThrow('pa55word')
})
