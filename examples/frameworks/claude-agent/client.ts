import { query } from '@anthropic-ai/claude-agent-sdk'
import { env } from 'mcp-credentials'
import { bridge } from 'mcp-credentials/node'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const local = await bridge(provider, { resource: url })
const agent = query({
  prompt: waitForPrompts(), // in an agent: the prompt
  options: {
    mcpServers: { notes: { type: 'http', url: local.url.href, alwaysLoad: true } },
    settingSources: [],
    strictMcpConfig: true,
  },
})

const [notes] = await agent.mcpServerStatus()
console.log(
  'The server is',
  notes?.status,
  'and offers:',
  notes?.tools?.map(({ name }) => name).join(', '),
)
// What the SDK sends to its program when a model calls a tool; it needs no model.
const { request } = agent as unknown as { request(message: object): Promise<unknown> }
await callRepeatedly((text) =>
  request.call(agent, { subtype: 'mcp_call', tool: 'mcp__notes__echo', arguments: { text } }),
)

agent.close()
await local.close()

async function* waitForPrompts(): AsyncGenerator<never> {
  await new Promise(() => {})
}
