import { env } from 'mcp-credentials'
import { bridge } from 'mcp-credentials/node'
import { clientCredentials } from 'mcp-credentials/oauth'
import { createRuntime } from 'mcporter'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const local = await bridge(provider, { resource: url })
const runtime = await createRuntime({
  servers: [{ name: 'notes', command: { kind: 'http', url: local.url } }],
})

const tools = await runtime.listTools('notes')
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
await callRepeatedly((text) => runtime.callTool('notes', 'echo', { args: { text } }))

await runtime.close()
await local.close()
