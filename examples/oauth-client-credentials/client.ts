import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, generateSigningKey, withCredentials } from 'mcp-credentials'
import { clientCredentials, privateKeyJwt } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'

process.env['MCP_CLIENT_SECRET'] = 'a-secret-that-is-made-up-for-this-example'
const { privateKey, jwks, keyId } = await generateSigningKey('ES256')
const machine = { grant_types: ['client_credentials'], response_types: [], redirect_uris: [] }
const authorizationServer = await startAuthorizationServer({
  clients: [
    { ...machine, client_id: 'reporter', client_secret: process.env['MCP_CLIENT_SECRET'] },
    { ...machine, client_id: 'auditor', token_endpoint_auth_method: 'private_key_jwt', jwks },
  ],
})
const { issuer } = authorizationServer
const server = await startOAuthServer({
  issuer,
  announce: (line) => console.log(`  server: ${line}`),
})

const providers = [
  clientCredentials({ clientId: 'reporter', clientSecret: env('MCP_CLIENT_SECRET'), issuer }),
  clientCredentials({ clientId: 'auditor', clientAuth: privateKeyJwt({ key: privateKey, keyId }) }),
]
for (const provider of providers) {
  const client = new Client({ name: 'client-credentials-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  const { content } = await client.callTool({ name: 'whoami' })
  console.log('whoami answered:', JSON.stringify(content))
  assert.match(JSON.stringify(content), /reporter|auditor/)
  await client.close()
}
assert.equal(authorizationServer.tokenRequests.length, 2)

await server.close()
await authorizationServer.close()
