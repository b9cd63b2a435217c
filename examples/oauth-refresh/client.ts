import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { authorizedFetch, withCredentials } from 'mcp-credentials'
import { authorizationCode, refreshToken } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'

const clientId = 'notes-agent'
const authorizationServer = await startAuthorizationServer({
  clients: [
    {
      client_id: clientId,
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
})
const { issuer, approve } = authorizationServer
const server = await startOAuthServer({ issuer })

// Somebody logged in once, elsewhere, and kept the refresh token.
const login = authorizationCode({ clientId, issuer, onAuthorizationUrl: approve })
const elsewhere = authorizedFetch(login, { resource: server.url })
const { record } = await elsewhere.login()
await elsewhere.close()

const provider = refreshToken({
  clientId,
  issuer,
  refreshToken: String(record?.data['refreshToken']),
})
const client = new Client({ name: 'refresh-example', version: '1.0.0' })
const options = withCredentials(provider)
await client.connect(new StreamableHTTPClientTransport(server.url, options))

server.revokeAll()
const calls = Array.from({ length: 20 }, (_value, index) =>
  client.callTool({ name: 'echo', arguments: { text: `call ${index}` } }),
)
const answers = await Promise.all(calls)
const grants = authorizationServer.tokenRequests.map(({ grantType }) => grantType)
console.log(`${answers.length} calls were answered; the token requests were ${grants.join(', ')}`)
assert.deepEqual(grants, ['authorization_code', 'refresh_token', 'refresh_token'])

await client.close()
await options.close()
await server.close()
await authorizationServer.close()
