import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, jwt, withCredentials } from 'mcp-credentials'
import { startJwtServer } from '../servers/jwt-server.ts'

// Both sides know the secret; it never travels.
process.env['MCP_JWT_SECRET'] = randomBytes(32).toString('base64')
const server = await startJwtServer({
  keys: new TextEncoder().encode(process.env['MCP_JWT_SECRET']),
  algorithms: ['HS256'],
  issuer: 'https://agents.example.com',
  audience: 'notes',
  announce: (line) => console.log(`  server: ${line}`),
})

let minted = 0
const provider = jwt({
  algorithm: 'HS256',
  secret: env('MCP_JWT_SECRET'),
  issuer: 'https://agents.example.com',
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

const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log('echo answered:', JSON.stringify(echo.content))
const identity = JSON.stringify((await client.callTool({ name: 'whoami' })).content)
console.log('whoami answered:', identity)
console.log(`${server.requests.length} requests were made with ${minted} token`)
assert.match(identity, /nightly-report.*acme/)
assert.equal(minted, 1)

await client.close()
await server.close()
