import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { z } from 'zod'
import { findBySecret } from './constant-time.ts'

/** Whose keys the server knows. */
const subjects = { 'stdio-key-alice': 'alice', 'stdio-key-bob': 'bob' }

const subject = findBySecret(subjects, process.env['MCP_API_KEY'] ?? '')
if (subject === undefined) {
  // Standard output belongs to the protocol.
  console.error('MCP_API_KEY is missing or is no valid key.')
  process.exit(1)
}

const server = new McpServer({ name: 'stdio-example', version: '1.0.0' })
server.registerTool(
  'echo',
  { description: 'Returns the text it was given', inputSchema: { text: z.string() } },
  ({ text }) => ({ content: [{ type: 'text', text }] }),
)
server.registerTool('whoami', { description: 'Tells who the caller is' }, () => ({
  content: [{ type: 'text', text: JSON.stringify({ subject }) }],
}))
server.registerTool(
  'variables',
  { description: 'Lists the names of the environment variables that the server was given' },
  () => ({ content: [{ type: 'text', text: Object.keys(process.env).sort().join(' ') }] }),
)
await server.connect(new StdioServerTransport())
