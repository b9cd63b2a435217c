import { mcp } from '@llamaindex/tools'
import { env, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { fetch, close } = withCredentials(provider, { resource: url })
const server = mcp({ url, fetch })

const tools = await server.tools()
console.log('The server offers:', tools.map(({ metadata }) => metadata.name).join(', '))
const echo = tools.find(({ metadata }) => metadata.name === 'echo')
await callRepeatedly(async (text) => echo?.call({ text }))

await server.cleanup()
await close()
