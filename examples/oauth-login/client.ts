import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'

const authorizationServer = await startAuthorizationServer()
const server = await startOAuthServer({
  issuer: authorizationServer.issuer,
  announce: (line) => console.log(`  server: ${line}`),
})

const provider = authorizationCode({
  clientName: 'Notes agent',
  async onAuthorizationUrl(url) {
    console.log(`a person opens ${url.origin}${url.pathname}`)
    await authorizationServer.approve(url)
  },
})
const options = withCredentials(provider, { resource: server.url })
await options.login()

const client = new Client({ name: 'login-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
const { content } = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(content))
assert.match(JSON.stringify(content), /alice/)
await client.close()

const { revoked } = await options.logout()
console.log(`logged out; the tokens are void: ${revoked}`)
assert.equal(revoked, true)

await options.close()
await server.close()
await authorizationServer.close()
