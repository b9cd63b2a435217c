import { setTimeout as pause } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { savedLogin } from 'mcp-credentials/oauth'
import { postgresStore } from 'mcp-credentials/postgres'
import { Pool } from 'pg'

const { PROCESS_NAME: name = '', MCP_URL = '', DATABASE_URL = '' } = process.env
const pool = new Pool({ connectionString: DATABASE_URL })
// Without it, a restart of the database ends the process.
pool.on('error', (error) => console.error(error.message))
const store = postgresStore({ pool, key: env('MCP_STORE_KEY') })
const options = withCredentials(savedLogin(), { store })
const client = new Client({ name, version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(new URL(MCP_URL), options))

for (let call = 1; call <= 6; call += 1) {
  await client.callTool({ name: 'echo', arguments: { text: `call ${call}` } })
  await pause(1200)
}
console.log(`${name}: 6 of 6 calls succeeded`)
await client.close()
await options.close()
await pool.end()
