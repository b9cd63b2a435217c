import { SignJWT } from 'jose'
import { sameSecret } from './constant-time.ts'
import { type JwtServer, startJwtServer } from './jwt-server.ts'
import type { HostOptions } from './mcp-server.ts'

/** Options of {@link startTokenServer}. */
export interface TokenServerOptions extends Omit<HostOptions, 'createTools' | 'configure'> {
  /** The secret of each client. */
  readonly clients: Readonly<Record<string, string>>
  /** The secret that signs tokens, at least 32 bytes. */
  readonly signingSecret: Uint8Array
  /** The lifetime of a token in seconds. */
  readonly lifetime: number
}

const issuer = 'https://tokens.example.com'

/** Starts an MCP server with a token endpoint of its own, `POST /token` with JSON. */
export function startTokenServer(options: TokenServerOptions): Promise<JwtServer> {
  const { clients, signingSecret, lifetime, ...host } = options
  return startJwtServer({
    ...host,
    keys: signingSecret,
    algorithms: ['HS256'],
    issuer,
    audience: 'notes',
    configure: (app) => {
      app.post('/token', async (request, response) => {
        const { clientId, clientSecret } = credentialsIn(request.body)
        const expected = Object.hasOwn(clients, clientId) ? (clients[clientId] ?? '') : ''
        if (!sameSecret(expected, clientSecret) || expected === '') {
          response.status(401).json({ error: 'invalid_client' })
          return
        }
        const token = await new SignJWT({ roles: ['reader'] })
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuer(issuer)
          .setAudience('notes')
          .setSubject(clientId)
          .setIssuedAt()
          .setExpirationTime(`${lifetime}s`)
          .sign(signingSecret)
        response.json({ token, expiresIn: lifetime })
      })
    },
  })
}

function credentialsIn(body: unknown): { clientId: string; clientSecret: string } {
  const nothing = { clientId: '', clientSecret: '' }
  if (!Buffer.isBuffer(body)) return nothing
  try {
    const value = (JSON.parse(body.toString('utf8')) ?? {}) as Record<string, unknown>
    const { clientId, clientSecret } = value
    return {
      clientId: typeof clientId === 'string' ? clientId : '',
      clientSecret: typeof clientSecret === 'string' ? clientSecret : '',
    }
  } catch {
    return nothing
  }
}
