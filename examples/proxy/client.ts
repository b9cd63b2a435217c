import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { defaultStore, saveKey } from 'mcp-credentials/auto'
import { startBearerServer } from '../servers/bearer-server.ts'
import { temporaryHome } from '../servers/temporary.ts'
import { show, tryTools } from '../servers/tools.ts'

const env = temporaryHome()
const server = await startBearerServer({ tokens: { 'demo-token': 'alice' }, announce: show })

// At the command line: npx mcp-credentials login URL, or set URL --bearer
const key = { type: 'bearer', token: 'demo-token' } as const
await saveKey(defaultStore(), { resource: server.url, key })

// In your configuration: "command": "npx", "args": ["-y", "mcp-credentials", "proxy", URL]
const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const transport = new StdioClientTransport({
  command: process.execPath,
  args: [command, 'proxy', server.url.href],
  env,
})
const client = new Client({ name: 'proxy-example', version: '1.0.0' })
await client.connect(transport)
assert.match(await tryTools(client), /alice/)

await client.close()
await server.close()
