import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { basic, env, withCredentials } from 'mcp-credentials'
import { startBasicServer } from '../servers/basic-server.ts'
import { show, tryTools } from '../servers/tools.ts'

const password = 'pässwörd: 10 €'
const server = await startBasicServer({ kind: 'sse', users: { alice: password }, announce: show })
process.env['MCP_PASSWORD'] = password

const client = new Client({ name: 'basic-example', version: '1.0.0' })
const provider = basic({ username: 'alice', password: env('MCP_PASSWORD') })
await client.connect(new SSEClientTransport(server.url, withCredentials(provider)))
assert.match(await tryTools(client), /alice/)

// The older transport keeps one event stream open and posts beside it: both are authenticated.
const methods = new Set(server.requests.map(({ method }) => method))
console.log(`authenticated without a 401: ${[...methods].join(' and ')}`)
assert.deepEqual([...methods].sort(), ['GET', 'POST'])
assert(server.requests.every(({ authenticated }) => authenticated))

await client.close()
await server.close()
