import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { enterpriseManaged } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { machineClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { startPlatform } from '../servers/platform.ts'
import { show, whoami } from '../servers/tools.ts'

const wikiSecret = 'a-secret-that-is-made-up-for-this-example'
process.env['WIKI_CLIENT_SECRET'] = wikiSecret
process.env['IDP_CLIENT_SECRET'] = 'another-secret-that-is-made-up'
const identityProvider = await startPlatform({ clientSecret: process.env['IDP_CLIENT_SECRET'] })
const clients = [machineClient('wiki-client', ['jwt-bearer'], { client_secret: wikiSecret })]
const platforms = [identityProvider]
const authorizationServer = await startAuthorizationServer({ platforms, clients, announce: show })
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer, announce: show })

const idp = { issuer: identityProvider.issuer, clientId: 'agent' }
const provider = enterpriseManaged({
  clientId: 'wiki-client',
  clientSecret: env('WIKI_CLIENT_SECRET'),
  issuer,
  identityProvider: { ...idp, clientSecret: env('IDP_CLIENT_SECRET') },
  // The ID token of the user who is signed in to your application.
  subjectToken: () => identityProvider.issue({ subject: 'alice', audience: 'agent' }),
})
const client = new Client({ name: 'enterprise-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))
assert.match(await whoami(client), /alice/)
console.log(`grants that the identity provider issued: ${identityProvider.grants.length}`)
assert.deepEqual(identityProvider.grants, [issuer])

for (const each of [client, server, authorizationServer, identityProvider]) await each.close()
