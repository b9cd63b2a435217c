import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { apiKey, env, withCredentials } from 'mcp-credentials'
import { startApiKeyServer } from '../servers/api-key-server.ts'
import { show, textOf } from '../servers/tools.ts'

const server = await startApiKeyServer({ keys: { 'demo-key': 'alice' }, announce: show })
process.env['MCP_API_KEY'] = 'demo-key'

const client = new Client({ name: 'api-key-example', version: '1.0.0' })
const provider = apiKey({ value: env('MCP_API_KEY') })
await client.connect(new StreamableHTTPClientTransport(server.url, withCredentials(provider)))

const { tools } = await client.listTools()
console.log(`tools: ${tools.map(({ name }) => name).join(', ')}`)
const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log(`echo: ${textOf(echo)}`)
const whoami = await client.callTool({ name: 'whoami' })
console.log(`whoami: ${textOf(whoami)}`)
assert.match(textOf(whoami), /alice/)

await client.close()
await server.close()
