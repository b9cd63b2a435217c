import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { apiKey, env } from 'mcp-credentials'
import { connect } from 'mcp-credentials/mcp'
import { startApiKeyServer } from '../servers/api-key-server.ts'

const common = {
  keys: { 'demo-key': 'alice' },
  announce: (line: string) => console.log(`  server: ${line}`),
}
const servers = [
  { server: await startApiKeyServer(common), expected: 'streamable-http' },
  { server: await startApiKeyServer({ ...common, kind: 'sse' }), expected: 'sse' },
]
process.env['MCP_API_KEY'] = 'demo-key'
const provider = apiKey({ value: env('MCP_API_KEY') })

for (const { server, expected } of servers) {
  console.log(`Connecting to ${server.url.pathname}, without saying which transport it speaks:`)
  const client = new Client({ name: 'connect-example', version: '1.0.0' })
  const { kind, close } = await connect(client, server.url, provider)
  console.log(`Connected over ${kind}`)
  assert.equal(kind, expected)

  const { tools } = await client.listTools()
  console.log(`The server offers: ${tools.map(({ name }) => name).join(', ')}`)
  const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
  console.log('echo answered:', JSON.stringify(echo.content))
  assert.match(JSON.stringify(echo.content), /hello/)
  const identity = await client.callTool({ name: 'whoami' })
  console.log('whoami answered:', JSON.stringify(identity.content))
  assert.match(JSON.stringify(identity.content), /alice/)

  await close()
  await server.close()
}
