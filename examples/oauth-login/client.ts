import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { show, whoami } from '../servers/tools.ts'

const authorizationServer = await startAuthorizationServer({ announce: show })
const server = await startOAuthServer({ issuer: authorizationServer.issuer, announce: show })

const provider = authorizationCode({
  clientName: 'Notes agent',
  // Simulates the user. Without this option, the browser opens.
  async onAuthorizationUrl(url) {
    console.log(`the user opens ${url.origin}${url.pathname}, logs in and consents`)
    await authorizationServer.approve(url)
  },
})
const options = withCredentials(provider, { resource: server.url })
await options.login()

const client = new Client({ name: 'login-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
assert.match(await whoami(client), /alice/)
await client.close()

const { revoked } = await options.logout()
console.log(`logged out, and the tokens are revoked: ${revoked}`)
assert.equal(revoked, true)

await options.close()
await server.close()
await authorizationServer.close()
