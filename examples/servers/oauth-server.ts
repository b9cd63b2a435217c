import { createHash } from 'node:crypto'
import type express from 'express'
import {
  calculateJwkThumbprint,
  createRemoteJWKSet,
  EmbeddedJWK,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import {
  type HostOptions,
  type RecordedRequest,
  type RunningServer,
  startMcpServer,
  type Verdict,
} from './mcp-server.ts'

/** Options of {@link startOAuthServer}. */
export interface OAuthServerOptions extends HostOptions {
  /** The authorization server whose tokens are accepted. */
  readonly issuer: string
  /** The scopes that every request needs. `notes:read` unless told. */
  readonly scopes?: readonly string[]
  /** Further scopes for the tools named here. */
  readonly toolScopes?: Readonly<Record<string, string>>
  /** Accept only tokens that are bound to a key (RFC 9449). `false` unless told. */
  readonly dpop?: boolean
  /** A nonce that every proof must hold; none unless told. */
  readonly dpopNonce?: string
}

/** An MCP server that wants access tokens. */
export interface OAuthServer extends RunningServer {
  /** From now on, every token that was seen so far is refused. */
  revokeAll(): void
  /** The access tokens that were accepted, each once. */
  readonly tokens: ReadonlySet<string>
}

const metadataPath = '/.well-known/oauth-protected-resource/mcp'

/**
 * Starts an MCP server that accepts the JWTs of one authorization server, issued for this very server,
 * and says where to get them (RFC 9728).
 */
export async function startOAuthServer(options: OAuthServerOptions): Promise<OAuthServer> {
  const {
    issuer,
    scopes = ['notes:read'],
    toolScopes = {},
    dpop = false,
    dpopNonce,
    ...host
  } = options
  const keys = createRemoteJWKSet(new URL('/jwks', issuer))
  const tokens = new Set<string>()
  const revoked = new Set<string>()
  const proofs = new Set<string>()
  let origin = ''
  const metadata = () => ({
    resource: `${origin}/mcp`,
    authorization_servers: [issuer],
    scopes_supported: [...scopes, ...Object.values(toolScopes)],
    bearer_methods_supported: ['header'],
    dpop_bound_access_tokens_required: dpop,
  })
  const challenge = (more: Record<string, string> = {}) => {
    const parameters = { resource_metadata: `${origin}${metadataPath}`, ...more }
    const text = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`)
    return `${dpop ? 'DPoP' : 'Bearer'} ${text.join(', ')}`
  }

  const authenticate = async (request: express.Request, rawBody: Buffer): Promise<Verdict> => {
    const [, scheme, token] =
      /^(Bearer|DPoP) (\S+)$/i.exec(request.get('authorization') ?? '') ?? []
    const wanted = scopes.join(' ')
    if (token === undefined) {
      return { challenge: challenge(wanted === '' ? {} : { scope: wanted }) }
    }
    const claims = await verifyToken(token)
    if (claims === undefined || revoked.has(token)) {
      return { challenge: challenge({ error: 'invalid_token' }) }
    }
    if (dpop) {
      const problem = await checkProof(request, token, claims, scheme)
      if (problem !== undefined) {
        const headers = dpopNonce === undefined ? {} : { 'DPoP-Nonce': dpopNonce }
        return { challenge: challenge({ error: problem }), headers }
      }
    }
    const missing = missingScopes(claims, rawBody)
    if (missing !== undefined) {
      const more = { error: 'insufficient_scope', scope: missing }
      return { status: 403, challenge: challenge(more) }
    }
    tokens.add(token)
    return { identity: { subject: claims.sub ?? String(claims['client_id']) } }
  }

  const verifyToken = async (token: string): Promise<JWTPayload | undefined> => {
    try {
      const expected = { issuer, audience: `${origin}/mcp`, typ: 'at+jwt' }
      return (await jwtVerify(token, keys, expected)).payload
    } catch {
      return undefined
    }
  }

  const checkProof = async (
    request: express.Request,
    token: string,
    claims: JWTPayload,
    scheme = '',
  ): Promise<string | undefined> => {
    try {
      const proof = request.get('dpop') ?? ''
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' })
      if (dpopNonce !== undefined && payload['nonce'] !== dpopNonce) return 'use_dpop_nonce'
      const { jti = '' } = payload
      const isFresh = jti !== '' && !proofs.has(jti)
      proofs.add(jti)
      const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk ?? {})
      const bound = (claims['cnf'] as { jkt?: string } | undefined)?.jkt
      const fits =
        scheme.toLowerCase() === 'dpop' &&
        isFresh &&
        bound === thumbprint &&
        payload['htm'] === request.method &&
        payload['htu'] === `${origin}${request.originalUrl.split('?')[0]}` &&
        payload['ath'] === createHash('sha256').update(token).digest('base64url')
      return fits ? undefined : 'invalid_dpop_proof'
    } catch {
      return 'invalid_dpop_proof'
    }
  }

  const missingScopes = (claims: JWTPayload, rawBody: Buffer): string | undefined => {
    const held = new Set(String(claims['scope'] ?? '').split(' '))
    const tool = toolOf(rawBody)
    const further = tool === undefined ? undefined : toolScopes[tool]
    const needed = [...scopes, ...(further === undefined ? [] : [further])]
    const missing = needed.filter((scope) => !held.has(scope))
    return missing.length === 0 ? undefined : missing.join(' ')
  }

  const server = await startMcpServer({
    ...host,
    authenticate,
    configure(app) {
      host.configure?.(app)
      app.get(metadataPath, (_request, response) => void response.json(metadata()))
    },
  })
  origin = server.origin
  return {
    ...server,
    tokens,
    revokeAll() {
      for (const token of tokens) revoked.add(token)
      tokens.clear()
    },
  }
}

/** The requests to the MCP endpoint itself, without those for metadata. */
export function mcpRequests({ requests }: RunningServer): RecordedRequest[] {
  return requests.filter(({ path }) => path === '/mcp')
}

function toolOf(rawBody: Buffer): string | undefined {
  try {
    const message: unknown = JSON.parse(rawBody.toString() || 'null')
    const { method, params } = (message ?? {}) as { method?: string; params?: { name?: string } }
    return method === 'tools/call' ? params?.name : undefined
  } catch {
    return undefined
  }
}
