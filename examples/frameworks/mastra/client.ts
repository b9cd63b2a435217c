import { MCPClient } from '@mastra/mcp'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const client = new MCPClient({ servers: { notes: { url: new URL(url), fetch } } })

const tools = await client.listTools()
console.log('The server offers:', Object.keys(tools).join(', '))
await callRepeatedly(async (text) => tools['notes_echo']?.execute?.({ text }, {} as never))

await client.disconnect()
await close()
