import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { apiKey, env } from 'mcp-credentials'
import { connect } from 'mcp-credentials/mcp'
import { startApiKeyServer } from '../servers/api-key-server.ts'
import { show, tryTools } from '../servers/tools.ts'

const common = { keys: { 'demo-key': 'alice' }, announce: show }
const servers = [
  { server: await startApiKeyServer(common), expected: 'streamable-http' },
  { server: await startApiKeyServer({ ...common, kind: 'sse' }), expected: 'sse' },
]
process.env['MCP_API_KEY'] = 'demo-key'
const provider = apiKey({ value: env('MCP_API_KEY') })

for (const { server, expected } of servers) {
  const client = new Client({ name: 'connect-example', version: '1.0.0' })
  const { kind, close } = await connect(client, server.url, provider)
  console.log(`${server.url.pathname} uses ${kind}`)
  assert.equal(kind, expected)
  assert.match(await tryTools(client), /alice/)

  await close()
  await server.close()
}
