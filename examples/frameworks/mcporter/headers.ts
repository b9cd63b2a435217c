import { env, liveHeaders } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { createRuntime } from 'mcporter'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const { headers, close } = await liveHeaders(provider, { resource: url })
const runtime = await createRuntime({
  servers: [{ name: 'notes', command: { kind: 'http', url: new URL(url), headers } }],
})

const tools = await runtime.listTools('notes')
console.log('The server offers:', tools.map(({ name }) => name).join(', '))
await callRepeatedly((text) => runtime.callTool('notes', 'echo', { args: { text } }))

await runtime.close()
await close()
