import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, jwt, withCredentials } from 'mcp-credentials'
import { startJwtServer } from '../servers/jwt-server.ts'
import { show, tryTools } from '../servers/tools.ts'

// Both sides know the secret; it is never sent.
process.env['MCP_JWT_SECRET'] = randomBytes(32).toString('base64')
const keys = new TextEncoder().encode(process.env['MCP_JWT_SECRET'])
const issuer = 'https://agents.example.com'
const expected = { keys, algorithms: ['HS256'], issuer, audience: 'notes' }
const server = await startJwtServer({ ...expected, announce: show })

let minted = 0
const provider = jwt({
  algorithm: 'HS256',
  secret: env('MCP_JWT_SECRET'),
  issuer,
  subject: 'nightly-report',
  audience: 'notes',
  expiresIn: 60,
  claims: () => {
    minted += 1
    return { tenant: 'acme', roles: ['reader'], permissions: ['notes:read'] }
  },
})
const client = new Client({ name: 'jwt-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
assert.match(await tryTools(client), /nightly-report.*acme/)
console.log(`tokens minted for all requests together: ${minted}`)
assert.equal(minted, 1)

await client.close()
await server.close()
