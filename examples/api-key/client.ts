import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { apiKey, env, withCredentials } from 'mcp-credentials'
import { startApiKeyServer } from '../servers/api-key-server.ts'

const server = await startApiKeyServer({
  keys: { 'demo-key': 'alice' },
  announce: (line) => console.log(`  server: ${line}`),
})
process.env['MCP_API_KEY'] = 'demo-key'

const client = new Client({ name: 'api-key-example', version: '1.0.0' })
const provider = apiKey({ value: env('MCP_API_KEY') })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))

const { tools } = await client.listTools()
console.log(`The server offers: ${tools.map(({ name }) => name).join(', ')}`)
const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log('echo answered:', JSON.stringify(echo.content))
const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)

await client.close()
await server.close()
