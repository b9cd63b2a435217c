import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { MCPClient } from 'mcp-use/client'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const client = new MCPClient({ mcpServers: { notes: { url, fetch } } })
const session = await client.createSession('notes')

const tools = await session.listTools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
await callRepeatedly((text) => session.callTool('echo', { text }))

await client.closeAllSessions()
await close()
