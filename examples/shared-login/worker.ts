import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { savedLogin } from 'mcp-credentials/oauth'

const directory = process.env['MCP_STORE_DIRECTORY'] ?? ''
const store = encryptedFileStore({ key: env('MCP_STORE_KEY'), directory })
const client = new Client({ name: `worker-${process.argv[2]}`, version: '1.0.0' })
const url = new URL(process.env['MCP_URL'] ?? '')
const options = withCredentials(savedLogin(), { store })
await client.connect(new StreamableHTTPClientTransport(url, options))
for (let second = 0; second < 5; second += 1) {
  await client.callTool({ name: 'echo', arguments: { text: `at ${second} s` } })
  await pause(1000)
}
console.log(`process ${process.argv[2]} was answered every time`)
await client.close()
await options.close()
