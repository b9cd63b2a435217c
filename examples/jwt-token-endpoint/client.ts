import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CredentialError, custom, withCredentials } from 'mcp-credentials'
import { startTokenServer } from '../servers/token-server.ts'

const server = await startTokenServer({
  clients: { agent: 'demo-secret' },
  signingSecret: randomBytes(32),
  lifetime: 3,
})

// A token endpoint that follows no standard is a provider of one function.
const provider = custom({
  name: 'tokenEndpoint',
  async acquire({ fetch, signal, now, reason }) {
    const startedAt = now()
    const response = await fetch(`${server.origin}/token`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ clientId: 'agent', clientSecret: 'demo-secret' }),
      signal,
    })
    if (!response.ok) {
      throw new CredentialError('server_error', `The token endpoint said ${response.status}.`, {
        retryable: response.status >= 500,
      })
    }
    const { token, expiresIn } = (await response.json()) as { token: string; expiresIn: number }
    console.log(`a token of ${expiresIn} s was fetched (${reason})`)
    return {
      expiresAt: startedAt + expiresIn * 1000,
      apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
    }
  },
})

const client = new Client({ name: 'jwt-token-endpoint-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
for (let second = 0; second < 6; second += 1) {
  const { content } = await client.callTool({ name: 'echo', arguments: { text: `at ${second} s` } })
  console.log('echo answered:', JSON.stringify(content))
  await pause(1000)
}
const refused = server.requests.filter(({ status }) => status === 401)
console.log(`${server.requests.length} requests, ${refused.length} of them refused`)
assert.equal(refused.length, 0)

await client.close()
await server.close()
