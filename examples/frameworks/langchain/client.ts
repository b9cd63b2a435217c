import { loadMcpTools } from '@langchain/mcp-adapters'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const options = withCredentials(provider)
const client = new Client({ name: 'langchain-agent', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(new URL(url), options))
const tools = await loadMcpTools('notes', client)

console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'echo')
await callRepeatedly(async (text) => echo?.invoke({ text }))

await client.close()
await options.close()
