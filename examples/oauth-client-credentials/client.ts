import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, generateSigningKey, withCredentials } from 'mcp-credentials'
import { clientCredentials, privateKeyJwt } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { machineClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { show, whoami } from '../servers/tools.ts'

const secret = 'a-secret-that-is-made-up-for-this-example'
process.env['MCP_CLIENT_SECRET'] = secret
const { privateKey, jwks, keyId } = await generateSigningKey('ES256')
const ofKey = { token_endpoint_auth_method: 'private_key_jwt', jwks }
const clients = [
  machineClient('reporter', ['client_credentials'], { client_secret: secret }),
  machineClient('auditor', ['client_credentials'], ofKey),
]
const authorizationServer = await startAuthorizationServer({ clients, announce: show })
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer, announce: show })

const clientAuth = privateKeyJwt({ key: privateKey, keyId })
const providers = [
  clientCredentials({ clientId: 'reporter', clientSecret: env('MCP_CLIENT_SECRET'), issuer }),
  clientCredentials({ clientId: 'auditor', clientAuth }),
]
for (const provider of providers) {
  const client = new Client({ name: 'client-credentials-example', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
  assert.match(await whoami(client), /reporter|auditor/)
  await client.close()
}
assert.equal(authorizationServer.tokenRequests.length, 2)

await server.close()
await authorizationServer.close()
