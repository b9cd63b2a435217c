import { findBySecret } from './constant-time.ts'
import {
  type HostOptions,
  type Identity,
  type RunningServer,
  startMcpServer,
} from './mcp-server.ts'

/** Tells whom a bearer token belongs to. */
export type TokenLookup = (token: string) => Identity | undefined

/** Options of {@link startBearerServer}. */
export interface BearerServerOptions extends HostOptions {
  /** The subject of each token, or a function that tells the identity. */
  readonly tokens: Readonly<Record<string, string>> | TokenLookup
}

/** Starts an MCP server that wants `Authorization: Bearer`. */
export function startBearerServer(options: BearerServerOptions): Promise<RunningServer> {
  const { tokens, ...host } = options
  const lookUp: TokenLookup =
    typeof tokens === 'function'
      ? tokens
      : (token) => {
          const subject = findBySecret(tokens, token)
          return subject === undefined ? undefined : { subject }
        }
  return startMcpServer({
    ...host,
    authenticate: (request) => {
      const token = /^bearer +(\S+)$/i.exec(request.get('authorization') ?? '')?.[1]
      if (token === undefined) return { challenge: 'Bearer realm="example"' }
      const identity = lookUp(token)
      return identity === undefined
        ? { challenge: 'Bearer realm="example", error="invalid_token"' }
        : { identity }
    },
  })
}
