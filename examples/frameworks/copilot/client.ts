import { approveAll, CopilotClient } from '@github/copilot-sdk'
import { env } from 'mcp-credentials'
import { bridge } from 'mcp-credentials/node'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const local = await bridge(provider, { resource: url })
// MCP apps are switched on so that a tool can be called without a model. An agent does not need them.
const client = new CopilotClient({ env: { ...process.env, COPILOT_MCP_APPS: 'true' } })
const session = await client.createSession({
  onPermissionRequest: approveAll,
  enableMcpApps: true,
  mcpServers: { notes: { type: 'http', url: local.url.href } },
})

const { tools } = await session.rpc.mcp.listTools({ serverName: 'notes' })
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
await callRepeatedly((text) =>
  session.rpc.mcp.apps.callTool({
    serverName: 'notes',
    originServerName: 'notes',
    toolName: 'echo',
    arguments: { text },
  }),
)

await session.disconnect()
await client.stop()
await local.close()
