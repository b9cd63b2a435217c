import { MCPConfiguration } from '@voltagent/core'
import { env } from 'mcp-credentials'
import { bridge } from 'mcp-credentials/node'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const local = await bridge(provider, { resource: url })
const configuration = new MCPConfiguration({
  servers: { notes: { type: 'streamable-http', url: local.url.href } },
})

const tools = await configuration.getTools() // then: new Agent({ tools })
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
const echo = tools.find(({ name }) => name === 'notes_echo')
await callRepeatedly(async (text) => echo?.execute?.({ text }))

await configuration.disconnect()
await local.close()
