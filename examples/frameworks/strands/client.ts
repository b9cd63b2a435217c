import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpClient } from '@strands-agents/sdk'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const options = withCredentials(provider)
const transport = new StreamableHTTPClientTransport(new URL(url), options)
const client = new McpClient({ transport }) // then: new Agent({ tools: [client] })

const tools = await client.listTools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'echo')
await callRepeatedly(async (text) => echo && client.callTool(echo, { text }))

await client.disconnect()
await options.close()
