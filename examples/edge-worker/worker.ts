import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { type CredentialTransportOptions, withCredentials } from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'

interface Environment {
  readonly MCP_URL: string
  readonly ISSUER: string
  readonly CLIENT_SECRET: string
}

// One for all requests of this isolate, so that they share a token.
let options: CredentialTransportOptions | undefined

function optionsOf({ MCP_URL, ISSUER, CLIENT_SECRET }: Environment): CredentialTransportOptions {
  const provider = clientCredentials({
    clientId: 'edge-agent',
    clientSecret: CLIENT_SECRET,
    issuer: ISSUER,
  })
  return withCredentials(provider, { resource: MCP_URL })
}

export default {
  async fetch(_request: Request, environment: Environment): Promise<Response> {
    options ??= optionsOf(environment)
    const client = new Client({ name: 'edge-agent', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(environment.MCP_URL), options))
    const { content } = await client.callTool({ name: 'whoami' })
    await client.close()
    return Response.json(content)
  },
}
