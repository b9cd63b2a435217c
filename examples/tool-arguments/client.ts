import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { bearer, env } from 'mcp-credentials'
import { withToolArguments } from 'mcp-credentials/mcp'
import { startToolArgumentsServer } from '../servers/tool-arguments-server.ts'

const server = await startToolArgumentsServer({
  tokens: { 'token-1': 'alice' },
  announce: (line) => console.log(`  server: ${line}`),
})
process.env['MCP_TOKEN'] = 'token-1'

const transport = withToolArguments(new StreamableHTTPClientTransport(server.url), {
  resource: server.url,
  arguments: { auth_token: bearer(env('MCP_TOKEN')) },
  isRejected: (answer) => JSON.stringify(answer).includes('auth_token is not valid'),
})
const client = new Client({ name: 'tool-arguments-example', version: '1.0.0' })
await client.connect(transport)

const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
console.log('echo wants a token, got it, and answered:', JSON.stringify(echo.content))
const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)

server.replaceTokens({ 'token-2': 'alice' })
process.env['MCP_TOKEN'] = 'token-2'
const refused = await client.callTool({ name: 'whoami' })
console.log('The token was replaced, so the old one is refused:', JSON.stringify(refused.content))
assert.equal(refused.isError, true)
const renewed = await client.callTool({ name: 'whoami' })
console.log('The next call brings the new one:', JSON.stringify(renewed.content))
assert.match(JSON.stringify(renewed.content), /alice/)

await client.close()
await server.close()
