// A client that knows nothing but the stdio transport, and reaches the servers of the official suite through a proxy:
// `mcp-credentials proxy`, or a bridge with the provider that a scenario needs.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { defaultStore, saveKey } from 'mcp-credentials/auto'
import { scenario } from './providers.ts'
import { showsUrls } from './shows-urls.ts'

const url = new URL(process.argv.at(-1) ?? '')
const proxy = process.env['PROXY'] ?? 'command'
const folder = await mkdtemp(join(tmpdir(), 'conformance-proxy-'))

/** Keeps a key in the store of a home folder of its own, for the servers that want nothing in particular. */
async function saveBearer(): Promise<void> {
  const store = defaultStore({
    kind: 'file',
    directory: join(folder, 'data', 'mcp-credentials'),
    keyDirectory: join(folder, 'config', 'mcp-credentials', 'keys'),
  })
  await saveKey(store, { resource: url, key: { type: 'bearer', token: 'conformance' } })
}

function start(): StdioClientTransport {
  const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
  const args =
    proxy === 'command'
      ? [path('../../dist/cli/main.js'), 'proxy', url.href, '--no-browser']
      : ['--import', 'tsx', path('proxy-server.ts'), url.href]
  const env = {
    ...(process.env as Record<string, string>),
    HOME: folder,
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    MCP_CREDENTIALS_STORE: 'file',
  }
  return new StdioClientTransport({ command: process.execPath, args, env })
}

/** A call of a tool that the suite asks for. */
interface Call {
  readonly name: string
  readonly arguments?: Record<string, unknown>
}

/** What a scenario wants called; without word of it, every tool there is. */
function callsOf(tools: readonly { name: string; inputSchema: unknown }[]): readonly Call[] {
  const context = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as {
    toolCalls?: Call[]
  }
  const givenTo: Readonly<Record<string, Record<string, unknown>>> = {
    add_numbers: { a: 5, b: 3 },
    json_schema_echo: {
      schema: tools.find(({ name }) => name !== 'json_schema_echo')?.inputSchema,
    },
  }
  return context.toolCalls ?? tools.map(({ name }) => ({ name, arguments: givenTo[name] ?? {} }))
}

// Where a scenario answers calls with nonsense or never lets them through, it judges by what it saw.
const mayRefuse = !scenario.startsWith('auth/') || scenario === 'auth/scope-retry-limit'

if (!scenario.startsWith('auth/')) await saveBearer()
const client = new Client(
  { name: 'mcp-credentials-conformance', version: '1.0.0' },
  {
    capabilities: { elicitation: { url: {}, form: { applyDefaults: true } } },
    ...(process.env['WIRE'] === 'stateless' ? { versionNegotiation: { mode: 'auto' } } : {}),
  },
)
client.setRequestHandler('elicitation/create', async () => ({ action: 'accept', content: {} }))
const transport = showsUrls(start(), (page) => fetch(page))
try {
  await client.connect(transport)
  const { tools } = await client.listTools()
  for (const call of callsOf(tools)) {
    await client.callTool(call).catch((error: unknown) => {
      if (!mayRefuse) throw error
    })
  }
} finally {
  await transport.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 10 })
}
