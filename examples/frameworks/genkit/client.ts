import { createMcpClient } from '@genkit-ai/mcp'
import { genkit } from 'genkit'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const client = createMcpClient({ name: 'notes', mcpServer: { url, fetch } })
await client.ready()

const tools = await client.getActiveTools(genkit({}))
console.log('The server offers:', tools.map(({ __action }) => __action.name).join(', '))
const echo = tools.find(({ __action }) => __action.name.endsWith('echo'))
await callRepeatedly(async (text) => echo?.({ text }))

await client.disable()
await close()
