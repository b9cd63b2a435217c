import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { apiKey, env, rotating, withCredentials } from 'mcp-credentials'
import { startApiKeyServer } from '../servers/api-key-server.ts'
import { show, tryTools, whoami } from '../servers/tools.ts'

const server = await startApiKeyServer({ keys: { 'demo-primary': 'alice' }, announce: show })
process.env['MCP_API_KEY'] = 'demo-primary'
process.env['MCP_API_KEY_NEXT'] = 'demo-secondary'

const provider = rotating([
  apiKey({ value: env('MCP_API_KEY') }),
  apiKey({ value: env('MCP_API_KEY_NEXT') }),
])
const options = withCredentials(provider, {
  onEvent: ({ type }) => console.log(`  event: ${type}`),
})
const client = new Client({ name: 'key-rotation-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))
await tryTools(client)

console.log('the server replaces its keys; the next call is sent twice:')
server.replaceKeys({ 'demo-secondary': 'alice' })
assert.match(await whoami(client), /alice/)

console.log('later calls use the new key immediately:')
assert.match(await whoami(client), /alice/)
assert.equal(server.requests.filter(({ status }) => status === 401).length, 1)

await client.close()
await server.close()
