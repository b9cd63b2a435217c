import { MCPServerStreamableHttp } from '@openai/agents'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const server = new MCPServerStreamableHttp({ url, fetch })
await server.connect() // then: new Agent({ name: 'Notes', mcpServers: [server] })

const tools = await server.listTools()
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
await callRepeatedly((text) => server.callTool('echo', { text }))

await server.close()
await close()
