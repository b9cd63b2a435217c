import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { bearer, env } from 'mcp-credentials'
import { withToolArguments } from 'mcp-credentials/mcp'
import { startToolArgumentsServer } from '../servers/tool-arguments-server.ts'
import { echo, whoami } from '../servers/tools.ts'

const server = await startToolArgumentsServer({ tokens: { 'token-1': 'alice' } })
process.env['MCP_TOKEN'] = 'token-1'

const transport = withToolArguments(new StreamableHTTPClientTransport(server.url), {
  resource: server.url,
  arguments: { auth_token: bearer(env('MCP_TOKEN')) },
  isRejected: (answer) => JSON.stringify(answer).includes('auth_token is not valid'),
})
const client = new Client({ name: 'tool-arguments-example', version: '1.0.0' })
await client.connect(transport)
await echo(client, 'hello')
assert.match(await whoami(client), /alice/)

console.log('the token is replaced; one call is rejected, the next call sends the new token:')
server.replaceTokens({ 'token-2': 'alice' })
process.env['MCP_TOKEN'] = 'token-2'
assert.match(await whoami(client), /not valid/)
assert.match(await whoami(client), /alice/)

await client.close()
await server.close()
