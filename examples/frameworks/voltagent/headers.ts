import { MCPConfiguration } from '@voltagent/core'
import { env, liveHeaders } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { headers, close } = await liveHeaders(provider, { resource: url })
const configuration = new MCPConfiguration({
  servers: { notes: { type: 'streamable-http', url, requestInit: { headers } } },
})

const tools = await configuration.getTools() // then: new Agent({ tools })
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'notes_echo')
await callRepeatedly(async (text) => echo?.execute?.({ text }))

await configuration.disconnect()
await close()
