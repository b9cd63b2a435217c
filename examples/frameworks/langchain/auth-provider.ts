import { MultiServerMCPClient } from '@langchain/mcp-adapters'
import { env } from 'mcp-credentials'
import { toOAuthClientProvider } from 'mcp-credentials/mcp'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const authProvider = toOAuthClientProvider(provider, { resource: url })
const client = new MultiServerMCPClient({
  mcpServers: { notes: { transport: 'http', url, authProvider } },
})

const tools = await client.getTools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'echo')
await callRepeatedly(async (text) => echo?.invoke({ text }))

await client.close()
await authProvider.manager.close()
