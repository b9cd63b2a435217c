import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { enterpriseManaged } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { startPlatform } from '../servers/platform.ts'

process.env['WIKI_CLIENT_SECRET'] = 'a-secret-that-is-made-up-for-this-example'
process.env['IDP_CLIENT_SECRET'] = 'another-secret-that-is-made-up'
const identityProvider = await startPlatform({ clientSecret: process.env['IDP_CLIENT_SECRET'] })
const authorizationServer = await startAuthorizationServer({
  platforms: [identityProvider],
  clients: [
    {
      client_id: 'wiki-client',
      client_secret: process.env['WIKI_CLIENT_SECRET'],
      grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'],
      response_types: [],
      redirect_uris: [],
    },
  ],
})
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer })

const provider = enterpriseManaged({
  clientId: 'wiki-client',
  clientSecret: env('WIKI_CLIENT_SECRET'),
  issuer,
  identityProvider: {
    issuer: identityProvider.issuer,
    clientId: 'agent',
    clientSecret: env('IDP_CLIENT_SECRET'),
  },
  // What the person's sign-in left behind.
  subjectToken: () => identityProvider.issue({ subject: 'alice', audience: 'agent' }),
})
const client = new Client({ name: 'enterprise-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
const { content } = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log('echo answered:', JSON.stringify(content))
console.log(`the identity provider issued ${identityProvider.grants.length} grant, for ${issuer}`)
assert.deepEqual(identityProvider.grants, [issuer])

await client.close()
await server.close()
await authorizationServer.close()
await identityProvider.close()
