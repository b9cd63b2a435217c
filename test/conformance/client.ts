// The client that the official suite tests: it starts this file with the URL of a server, and says in
// the environment which scenario it plays. All that is particular to a scenario is its provider.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { withCredentials } from 'mcp-credentials'
import { providerFor, scenario } from './providers.ts'

const url = new URL(process.argv.at(-1) ?? '')
const options = withCredentials(await providerFor(url))
const info = { name: 'mcp-credentials-conformance', version: '1.0.0' }

const isOld = process.env['MCP_SDK'] === 'v1'
const client = isOld
  ? new ClientV1(info)
  : new Client(info, { versionNegotiation: { mode: 'auto' } })
const transport = isOld
  ? new TransportV1(url, options)
  : new StreamableHTTPClientTransport(url, options)

await client.connect(transport as never)
await client.listTools()
// One scenario never lets the call through, and wants to see the client give up.
await client.callTool({ name: 'test-tool', arguments: {} }).catch((error: unknown) => {
  if (scenario !== 'auth/scope-retry-limit') throw error
})
await client.close()
