import { createMCPClient } from '@tanstack/ai-mcp'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const client = await createMCPClient({ transport: { type: 'http', url, fetch } })

const tools = await client.tools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
await callRepeatedly((text) => client.callTool('echo', { text }))

await client.close()
await close()
