import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { startBasicServer } from '../../examples/servers/basic-server.ts'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import type { RunningServer } from '../../examples/servers/mcp-server.ts'
import { startTenantServer } from '../../examples/servers/tenant-server.ts'
import {
  all,
  apiKey,
  basic,
  bearer,
  type CredentialProvider,
  headers,
  rotating,
  withCredentials,
} from '../../src/index.ts'
import { until } from '../support/tokens.ts'

async function connected(server: RunningServer, provider: CredentialProvider): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  onTestFinished(async () => {
    await client.close()
    await server.close()
  })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  return client
}

const whoAmI = async (client: Client) => JSON.stringify(await client.callTool({ name: 'whoami' }))

describe('against a real server', () => {
  it('apiKey() sends the key in the header it is given', async () => {
    const server = await startApiKeyServer({ keys: { k1: 'alice' }, header: 'X-Service-Key' })

    const client = await connected(server, apiKey({ value: 'k1', header: 'X-Service-Key' }))

    expect(await whoAmI(client)).toContain('alice')
  })

  it('apiKey() sends the key in the query of a server that demands it', async () => {
    const server = await startApiKeyServer({ keys: { 'k&1 =': 'alice' }, query: 'api_key' })

    const client = await connected(server, apiKey({ value: 'k&1 =', query: 'api_key' }))

    expect(await whoAmI(client)).toContain('alice')
    expect(server.requests.every(({ query }) => query.includes('api_key=k%261+%3D'))).toBe(true)
  })

  it('bearer() reads a token again that the server refuses', async () => {
    const server = await startBearerServer({ tokens: { 'token-2': 'alice' } })
    const tokens = ['token-1', 'token-2']

    const client = await connected(
      server,
      bearer(() => tokens.shift() ?? 'token-3'),
    )

    expect(await whoAmI(client)).toContain('alice')
    expect(server.requests.filter(({ status }) => status === 401)).toHaveLength(1)
  })

  it('basic() sends names and passwords of any script', async () => {
    const server = await startBasicServer({ users: { zoë: 'pä55wörd€' } })

    const client = await connected(server, basic({ username: 'zoë', password: 'pä55wörd€' }))

    expect(await whoAmI(client)).toContain('zoë')
  })

  it('headers() keeps tenants apart', async () => {
    const server = await startTenantServer({ tenants: { acme: 's1', globex: 's2' } })

    const client = await connected(
      server,
      all(headers({ 'X-Tenant-ID': 'globex' }), headers({ 'X-Session-Token': 's2' })),
    )

    expect(await whoAmI(client)).toContain('globex')
  })

  it('rotating() goes on with the key that works', async () => {
    const server = await startApiKeyServer({ keys: { primary: 'alice', secondary: 'alice' } })
    const client = await connected(
      server,
      rotating([apiKey({ value: 'primary' }), apiKey({ value: 'secondary' })]),
    )

    await until(() => server.requests.some(({ method }) => method === 'GET'), 'the GET stream')
    const before = server.requests.length

    server.replaceKeys({ secondary: 'alice' })
    await whoAmI(client)
    await whoAmI(client)

    const sent = server.requests
      .slice(before)
      .map(({ status, headers: own }) => [status, own['x-api-key']])
    expect(sent).toEqual([
      [401, 'primary'],
      [200, 'secondary'],
      [200, 'secondary'],
    ])
  })
})
