import { createMCPClient } from '@ai-sdk/mcp'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const client = await createMCPClient({ transport: { type: 'http', url, fetch } })

const tools = await client.tools()
console.log('The server offers:', Object.keys(tools).join(', '))
await callRepeatedly(async (text) =>
  tools['echo']?.execute({ text }, { toolCallId: '1', messages: [] } as never),
)

await client.close()
await close()
