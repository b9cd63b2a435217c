import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { z } from 'zod'
import { findBySecret } from './constant-time.ts'
import { type HostOptions, type RunningServer, startMcpServer } from './mcp-server.ts'

/** Options of {@link startToolArgumentsServer}. */
export interface ToolArgumentsServerOptions extends Omit<HostOptions, 'createTools'> {
  /** The subject of each token. */
  readonly tokens: Readonly<Record<string, string>>
}

/** A server whose tokens can be replaced. */
export interface ToolArgumentsServer extends RunningServer {
  /** From now on only these tokens are valid. */
  replaceTokens(tokens: Readonly<Record<string, string>>): void
}

/** Starts an MCP server that lets every request in, and whose tools want the argument `auth_token`. */
export async function startToolArgumentsServer(
  options: ToolArgumentsServerOptions,
): Promise<ToolArgumentsServer> {
  const { tokens: firstTokens, ...host } = options
  let tokens = firstTokens

  const answer = (token: string, text: (subject: string) => string) => {
    const subject = findBySecret(tokens, token)
    const refused = 'auth_token is not valid'
    return {
      content: [{ type: 'text' as const, text: subject === undefined ? refused : text(subject) }],
      isError: subject === undefined,
    }
  }
  const createTools = () => {
    const server = new McpServer({ name: 'tool-arguments-example', version: '1.0.0' })
    server.registerTool(
      'echo',
      {
        description: 'Returns the text it was given',
        inputSchema: { auth_token: z.string(), text: z.string() },
      },
      ({ auth_token, text }) => answer(auth_token, () => text),
    )
    server.registerTool(
      'whoami',
      { description: 'Tells who the caller is', inputSchema: { auth_token: z.string() } },
      ({ auth_token }) => answer(auth_token, (subject) => JSON.stringify({ subject })),
    )
    server.registerTool(
      'arguments',
      {
        description: 'Lists the names of the arguments it was given; needs no token',
        inputSchema: z.looseObject({}),
      },
      (given) => ({ content: [{ type: 'text', text: Object.keys(given).sort().join(' ') }] }),
    )
    return server
  }
  const server = await startMcpServer({
    ...host,
    createTools,
    authenticate: () => ({ identity: { subject: 'anybody' } }),
  })
  return {
    ...server,
    replaceTokens: (next) => {
      tokens = next
    },
  }
}
