import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { deviceCode } from 'mcp-credentials/oauth'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { machineClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { show, whoami } from '../servers/tools.ts'

const clients = [machineClient('terminal', ['device-code', 'refresh_token'])]
const authorizationServer = await startAuthorizationServer({ clients, announce: show })
const server = await startOAuthServer({ issuer: authorizationServer.issuer, announce: show })

const provider = deviceCode({
  clientId: 'terminal',
  onUserCode({ userCode, verificationUri }) {
    console.log(`open ${verificationUri.href} and enter ${userCode}`)
    // Simulates the user at the other device.
    return authorizationServer.approveDevice(userCode)
  },
})
const options = withCredentials(provider, { resource: server.url })
await options.login()

const client = new Client({ name: 'device-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
assert.match(await whoami(client), /alice/)

await client.close()
await options.close()
await server.close()
await authorizationServer.close()
