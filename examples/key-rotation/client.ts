import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { apiKey, env, rotating, withCredentials } from 'mcp-credentials'
import { startApiKeyServer } from '../servers/api-key-server.ts'

const server = await startApiKeyServer({
  keys: { 'demo-primary': 'alice' },
  announce: (line) => console.log(`  server: ${line}`),
})
process.env['MCP_API_KEY'] = 'demo-primary'
process.env['MCP_API_KEY_NEXT'] = 'demo-secondary'

const provider = rotating([
  apiKey({ value: env('MCP_API_KEY') }),
  apiKey({ value: env('MCP_API_KEY_NEXT') }),
])
const options = withCredentials(provider, {
  onEvent: (event) => console.log(`  event: ${event.type}`),
})
const client = new Client({ name: 'key-rotation-example', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(server.url, options))

const { tools } = await client.listTools()
console.log(`The server offers: ${tools.map(({ name }) => name).join(', ')}`)
const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log('echo answered with the primary key:', JSON.stringify(echo.content))
assert.match(JSON.stringify(echo.content), /hello/)

console.log('The server replaces its keys: the primary is no longer valid.')
server.replaceKeys({ 'demo-secondary': 'alice' })
const healed = await client.callTool({ name: 'whoami' })
console.log('whoami answered with the secondary key:', JSON.stringify(healed.content))
console.log('The 401 healed: the same request was sent again with the secondary key.')
assert.match(JSON.stringify(healed.content), /alice/)

const later = await client.callTool({ name: 'whoami' })
console.log('A later call uses the secondary key at once:', JSON.stringify(later.content))
assert.match(JSON.stringify(later.content), /alice/)
const refused = server.requests.filter(({ status }) => status === 401)
console.log(`Requests that got a 401, in all: ${refused.length}`)
assert.equal(refused.length, 1)

await client.close()
await server.close()
