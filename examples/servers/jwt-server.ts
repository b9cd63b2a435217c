import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { z } from 'zod'
import {
  type HostOptions,
  type Identity,
  type RunningServer,
  startMcpServer,
} from './mcp-server.ts'

/** Options of {@link startJwtServer}. */
export interface JwtServerOptions extends Omit<HostOptions, 'createTools'> {
  /** The public keys of the clients, or the secret that they share with the server. */
  readonly keys: JSONWebKeySet | Uint8Array
  /** The algorithms that are accepted; a token cannot choose another. */
  readonly algorithms: readonly string[]
  readonly issuer: string
  readonly audience: string
}

/** A server whose keys can be rotated. */
export interface JwtServer extends RunningServer {
  /** From now on only these keys are valid. */
  replaceKeys(keys: JSONWebKeySet | Uint8Array): void
}

/**
 * Starts an MCP server that wants a JWT, and whose tools want roles: `echo` the role `reader`, `purge`
 * the role `admin`.
 */
export async function startJwtServer(options: JwtServerOptions): Promise<JwtServer> {
  const { keys: firstKeys, algorithms, issuer, audience, ...host } = options
  let keys = firstKeys
  const verify = async (token: string): Promise<JWTPayload | undefined> => {
    const expected = {
      algorithms: [...algorithms],
      issuer,
      audience,
      requiredClaims: ['exp', 'iat', 'sub'],
      clockTolerance: 5,
    }
    try {
      const { payload } =
        keys instanceof Uint8Array
          ? await jwtVerify(token, keys, expected)
          : await jwtVerify(token, createLocalJWKSet(keys), expected)
      return payload
    } catch {
      return undefined
    }
  }
  const server = await startMcpServer({
    ...host,
    createTools,
    authenticate: async (request) => {
      const token = /^bearer +(\S+)$/i.exec(request.get('authorization') ?? '')?.[1]
      if (token === undefined) return { challenge: 'Bearer realm="example"' }
      const claims = await verify(token)
      return claims === undefined
        ? { challenge: 'Bearer realm="example", error="invalid_token"' }
        : { identity: identityOf(claims) }
    },
  })
  return {
    ...server,
    replaceKeys: (next) => {
      keys = next
    },
  }
}

function identityOf({ sub = '', roles, tenant }: JWTPayload): Identity {
  return {
    subject: sub,
    ...(typeof tenant === 'string' ? { tenant } : {}),
    ...(Array.isArray(roles) ? { roles: roles.filter((role) => typeof role === 'string') } : {}),
  }
}

function createTools(): McpServer {
  const server = new McpServer({ name: 'jwt-example', version: '1.0.0' })
  const answer = (text: string, isError = false) => ({
    content: [{ type: 'text' as const, text }],
    isError,
  })
  const rolesOf = (extra: { authInfo?: { scopes: string[] } }) => extra.authInfo?.scopes ?? []
  server.registerTool(
    'echo',
    { description: 'Returns the text it was given', inputSchema: { text: z.string() } },
    ({ text }, extra) =>
      rolesOf(extra).includes('reader') ? answer(text) : answer('echo needs the role reader', true),
  )
  server.registerTool('purge', { description: 'Deletes everything' }, (extra) =>
    rolesOf(extra).includes('admin')
      ? answer('all records are deleted')
      : answer('purge needs the role admin', true),
  )
  server.registerTool('whoami', { description: 'Tells who the caller is' }, (extra) =>
    answer(JSON.stringify(extra.authInfo?.extra?.['identity'])),
  )
  return server
}
