import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { authorizedFetch, env, withCredentials } from 'mcp-credentials'
import { authorizationCode, refreshToken } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { publicClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { show, textOf } from '../servers/tools.ts'

const clientId = 'notes-agent'
const clients = [publicClient(clientId, 'http://127.0.0.1/callback')]
const authorizationServer = await startAuthorizationServer({ clients, announce: show })
const { issuer, approve } = authorizationServer
const server = await startOAuthServer({ issuer })

// Somebody has logged in once, elsewhere, and kept the refresh token.
const login = authorizationCode({ clientId, issuer, onAuthorizationUrl: approve })
const elsewhere = authorizedFetch(login, { resource: server.url })
const { record } = await elsewhere.login()
process.env['REFRESH_TOKEN'] = String(record?.data['refreshToken'])
await elsewhere.close()

const provider = refreshToken({ clientId, issuer, refreshToken: env('REFRESH_TOKEN') })
const options = withCredentials(provider)
const client = new Client({ name: 'refresh-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))

console.log('the server revokes the access token; twenty calls in parallel:')
server.revokeAll()
const texts = Array.from({ length: 20 }, (_value, index) => `call ${index}`)
const call = (text: string) => client.callTool({ name: 'echo', arguments: { text } })
const answers = await Promise.all(texts.map(call))
console.log(`successful calls: ${answers.length}`)
assert.deepEqual(answers.map(textOf), texts)
assert.equal(authorizationServer.tokenRequests.length, 3)

for (const each of [client, options, server, authorizationServer]) await each.close()
