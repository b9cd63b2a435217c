import { MCPToolset } from '@google/adk'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const transportOptions = withCredentials(provider, { resource: url })
const toolset = new MCPToolset({ type: 'StreamableHTTPConnectionParams', url, transportOptions })

const tools = await toolset.getTools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'echo')
await callRepeatedly(async (text) => echo?.runAsync({ args: { text }, toolContext: {} as never }))

await toolset.close()
await transportOptions.close()
