import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  getDefaultEnvironment,
  StdioClientTransport,
} from '@modelcontextprotocol/sdk/client/stdio.js'
import { env } from 'mcp-credentials'
import { stdioEnvironment } from 'mcp-credentials/mcp'

process.env['PROD_KEY'] = 'stdio-key-alice'
process.env['UNRELATED_SECRET'] = 'of no concern to the server'

const credentials = await stdioEnvironment({ MCP_API_KEY: env('PROD_KEY') })
const client = new Client({ name: 'stdio-environment-example', version: '1.0.0' })
await client.connect(
  new StdioClientTransport({
    command: process.execPath,
    args: [
      '--import',
      'tsx',
      fileURLToPath(new URL('../servers/stdio-server.ts', import.meta.url)),
    ],
    env: { ...getDefaultEnvironment(), ...credentials },
  }),
)
console.log('The server was started as a process, with its key in the environment.')

const identity = await client.callTool({ name: 'whoami' })
console.log('whoami answered:', JSON.stringify(identity.content))
assert.match(JSON.stringify(identity.content), /alice/)

const variables = await client.callTool({ name: 'variables' })
console.log('The server has these variables:', JSON.stringify(variables.content))
assert.match(JSON.stringify(variables.content), /MCP_API_KEY/)
assert.doesNotMatch(JSON.stringify(variables.content), /PROD_KEY|UNRELATED_SECRET/)

await client.close()
