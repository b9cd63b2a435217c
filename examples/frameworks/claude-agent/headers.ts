import { query } from '@anthropic-ai/claude-agent-sdk'
import { env, headersOf } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const headers = await headersOf(provider, { resource: url })
const agent = query({
  prompt: waitForPrompts(), // in an agent: the prompt
  options: {
    mcpServers: { notes: { type: 'http', url, headers: { ...headers }, alwaysLoad: true } },
    settingSources: [],
    strictMcpConfig: true,
  },
})

const [notes] = await agent.mcpServerStatus()
console.log('The server is', notes?.status)
const { request } = agent as unknown as { request(message: object): Promise<unknown> }
await callRepeatedly((text) =>
  request.call(agent, { subtype: 'mcp_call', tool: 'mcp__notes__echo', arguments: { text } }),
)
const [afterwards] = await agent.mcpServerStatus()
console.log('In the end the server is', afterwards?.status)
agent.close()

async function* waitForPrompts(): AsyncGenerator<never> {
  await new Promise(() => {})
}
