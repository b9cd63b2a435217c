import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  getDefaultEnvironment,
  StdioClientTransport,
} from '@modelcontextprotocol/sdk/client/stdio.js'
import { env } from 'mcp-credentials'
import { stdioEnvironment } from 'mcp-credentials/mcp'
import { textOf, whoami } from '../servers/tools.ts'

process.env['PROD_KEY'] = 'stdio-key-alice'
process.env['UNRELATED_SECRET'] = 'not for this server'

const script = fileURLToPath(new URL('../servers/stdio-server.ts', import.meta.url))
const credentials = await stdioEnvironment({ MCP_API_KEY: env('PROD_KEY') })
const transport = new StdioClientTransport({
  command: process.execPath,
  args: ['--import', 'tsx', script],
  env: { ...getDefaultEnvironment(), ...credentials },
})
const client = new Client({ name: 'stdio-environment-example', version: '1.0.0' })
await client.connect(transport)
assert.match(await whoami(client), /alice/)

const variables = textOf(await client.callTool({ name: 'variables' })).split(' ')
for (const name of ['MCP_API_KEY', 'PROD_KEY', 'UNRELATED_SECRET']) {
  console.log(`the server has ${name}: ${variables.includes(name)}`)
}
assert(variables.includes('MCP_API_KEY') && !variables.includes('UNRELATED_SECRET'))

await client.close()
