import { MultiServerMCPClient } from '@langchain/mcp-adapters'
import { env, liveHeaders } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { headers, close } = await liveHeaders(provider, { resource: url })
const client = new MultiServerMCPClient({
  mcpServers: { notes: { transport: 'http', url, headers } },
})

const tools = await client.getTools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'echo')
await callRepeatedly(async (text) => echo?.invoke({ text }))

await client.close()
await close()
