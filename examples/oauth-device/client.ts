import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { deviceCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'

const authorizationServer = await startAuthorizationServer({
  clients: [
    {
      client_id: 'terminal',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: [],
      response_types: [],
      grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
    },
  ],
})
const server = await startOAuthServer({ issuer: authorizationServer.issuer })

const provider = deviceCode({
  clientId: 'terminal',
  onUserCode({ userCode, verificationUri }) {
    console.log(`Open ${verificationUri.href} and enter ${userCode}`)
    return authorizationServer.approveDevice(userCode)
  },
})
const options = withCredentials(provider, { resource: server.url })
await options.login()

const client = new Client({ name: 'device-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
const { content } = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(content))
assert.match(JSON.stringify(content), /alice/)

await client.close()
await options.close()
await server.close()
await authorizationServer.close()
