import assert from 'node:assert/strict'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { withCredentials } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { mcpRequests, startOAuthServer } from '../servers/oauth-server.ts'
import { show, whoami } from '../servers/tools.ts'

const authorizationServer = await startAuthorizationServer({ dpopNonce: true, announce: show })
const { issuer, approve } = authorizationServer
const dpopNonce = 'nonce-of-the-mcp-server'
const server = await startOAuthServer({ issuer, dpop: true, dpopNonce, announce: show })

const provider = authorizationCode({ dpop: true, onAuthorizationUrl: approve })
const options = withCredentials(provider, { resource: server.url })
await options.login()
const client = new Client({ name: 'dpop-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
assert.match(await whoami(client), /alice/)

console.log('an attacker has copied the token, but not the key:')
const [token] = server.tokens
const headers = { Authorization: `DPoP ${token}`, 'Content-Type': 'application/json' }
const theft = await fetch(server.url, { method: 'POST', headers, body: '{}' })
assert.equal(theft.status, 401)
const accepted = mcpRequests(server).filter(({ authenticated }) => authenticated)
const proofs = new Set(accepted.map(({ headers }) => headers['dpop']))
console.log(`each accepted request had its own proof: ${proofs.size === accepted.length}`)
assert.equal(proofs.size, accepted.length)

await client.close()
await options.close()
await server.close()
await authorizationServer.close()
