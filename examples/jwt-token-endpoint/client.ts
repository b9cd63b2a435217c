import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CredentialError, custom, withCredentials } from 'mcp-credentials'
import { startTokenServer } from '../servers/token-server.ts'
import { echo } from '../servers/tools.ts'

const clients = { agent: 'demo-secret' }
const server = await startTokenServer({ clients, signingSecret: randomBytes(32), lifetime: 3 })

const provider = custom({
  name: 'tokenEndpoint',
  async acquire({ fetch, signal, now, reason }) {
    const startedAt = now()
    const body = JSON.stringify({ clientId: 'agent', clientSecret: 'demo-secret' })
    const response = await fetch(`${server.origin}/token`, { method: 'POST', body, signal })
    const { status } = response
    if (status !== 200) {
      const retryable = status >= 500
      throw new CredentialError('server_error', `The endpoint said ${status}.`, { retryable })
    }
    const { token, expiresIn } = (await response.json()) as { token: string; expiresIn: number }
    console.log(`a token of ${expiresIn} s was fetched (${reason})`)
    const expiresAt = startedAt + expiresIn * 1000
    return { expiresAt, apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`) }
  },
})

const client = new Client({ name: 'jwt-token-endpoint-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
for (const text of ['immediately', 'after 1.5 s', 'after 3 s', 'after 4.5 s']) {
  await echo(client, text)
  await pause(1500)
}
assert(server.requests.every(({ status }) => status !== 401))
await client.close()
await server.close()
