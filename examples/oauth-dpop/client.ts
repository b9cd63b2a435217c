import assert from 'node:assert/strict'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { withCredentials } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { mcpRequests, startOAuthServer } from '../servers/oauth-server.ts'

const authorizationServer = await startAuthorizationServer({ dpopNonce: true })
const server = await startOAuthServer({
  issuer: authorizationServer.issuer,
  dpop: true,
  dpopNonce: 'nonce-of-the-mcp-server',
})

const provider = authorizationCode({ dpop: true, onAuthorizationUrl: authorizationServer.approve })
const options = withCredentials(provider, { resource: server.url })
await options.login()
const client = new Client({ name: 'dpop-example', version: '2.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
const { content } = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(content))

// Somebody who copied the token, but not the key:
const [token] = server.tokens
const headers = { Authorization: `DPoP ${token}`, 'Content-Type': 'application/json' }
const theft = await fetch(server.url, { method: 'POST', headers, body: '{}' })
console.log(`the stolen token alone was answered with ${theft.status}`)
assert.equal(theft.status, 401)
const accepted = mcpRequests(server).filter(({ authenticated }) => authenticated)
const proofs = new Set(accepted.map(({ headers }) => headers['dpop']))
console.log(`${accepted.length} requests were accepted, with ${proofs.size} different proofs`)
assert.equal(proofs.size, accepted.length)

await client.close()
await options.close()
await server.close()
await authorizationServer.close()
