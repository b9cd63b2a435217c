/// <reference types="@cloudflare/workers-types" />
import { Agent, getAgentByName } from 'agents'
import { withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'

/** What the configuration of the Worker binds. */
interface Env {
  readonly NOTES: DurableObjectNamespace<Notes>
  readonly MCP_URL: string
  readonly MCP_ISSUER: string
  readonly MCP_CLIENT_SECRET: string
}

export class Notes extends Agent<Env> {
  override async onStart(): Promise<void> {
    const { MCP_URL: url, MCP_ISSUER: issuer, MCP_CLIENT_SECRET: clientSecret } = this.env
    const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })
    const { fetch } = withCredentials(provider, { resource: url })

    // What was stored before the object slept has no `fetch`.
    if (this.mcp.mcpConnections['notes']) await this.mcp.removeServer('notes')
    await this.mcp.registerServer('notes', { name: 'notes', url, transport: { fetch } })
    await this.mcp.connectToServer('notes')
    await this.mcp.discoverIfConnected('notes')
  }

  override async onRequest(request: Request): Promise<Response> {
    const text = await request.text()
    if (text === '') return Response.json(this.mcp.listTools().map(({ name }) => name))
    const call = { serverId: 'notes', name: 'echo', arguments: { text } }
    return Response.json(await this.mcp.callTool(call))
  }
}

// biome-ignore lint/style/noDefaultExport: workerd finds the entry point by this name.
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const agent = await getAgentByName(env.NOTES, 'one')
    return agent.fetch(request)
  },
}
