import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { savedLogin } from 'mcp-credentials/oauth'

const { PROCESS_NAME: name = '', MCP_URL: url = '', STORE_DIRECTORY: directory = '' } = process.env
const store = encryptedFileStore({ key: env('MCP_STORE_KEY'), directory })
const options = withCredentials(savedLogin(), { store })
const client = new Client({ name, version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(new URL(url), options))

for (let call = 1; call <= 6; call += 1) {
  await client.callTool({ name: 'echo', arguments: { text: `call ${call}` } })
  await pause(800)
}
console.log(`${name}: 6 of 6 calls succeeded`)
await client.close()
await options.close()
