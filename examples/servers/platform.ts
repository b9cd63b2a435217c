import { generateKeyPairSync, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, type JWK, jwtVerify, SignJWT } from 'jose'

/** Options of {@link startPlatform}. */
export interface PlatformOptions {
  /** The secret of the client `agent`; without it, no client may exchange tokens. */
  readonly clientSecret?: string
}

/** Something that vouches for others: a container platform, or an enterprise's identity provider. */
export interface RunningPlatform {
  readonly issuer: string
  readonly keys: { readonly keys: readonly JWK[] }
  /** The authorization servers for which a grant was issued. */
  readonly grants: string[]
  /** Issues a JWT, as a platform does for its workloads and an identity provider at a sign-in. */
  issue(claims: { readonly subject: string; readonly audience: string }): Promise<string>
  close(): Promise<void>
}

const tokenType = (name: string) => `urn:ietf:params:oauth:token-type:${name}`

/** Starts a platform that issues JWTs, and exchanges the sign-ins of people for grants (ID-JAG). */
export async function startPlatform(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256' }
  const grants: string[] = []
  let issuer = ''
  const sign = (subject: string, audience: string, typ: string, more: object = {}) =>
    new SignJWT({ ...more })
      .setProtectedHeader({ alg: 'ES256', typ })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(audience)
      .setIssuedAt()
      .setJti(crypto.randomUUID())
      .setExpirationTime('5m')
      .sign(privateKey)

  const exchange = async (request: IncomingMessage) => {
    const [id = '', secret = ''] = basicCredentials(request)
    if (!isSame(secret, options.clientSecret)) return [401, { error: 'invalid_client' }] as const
    const form = new URLSearchParams(await bodyOf(request))
    const {
      audience = '',
      resource,
      subject_token = '',
      requested_token_type,
    } = Object.fromEntries(form)
    if (requested_token_type !== tokenType('id-jag'))
      return [400, { error: 'invalid_request' }] as const
    try {
      const { payload } = await jwtVerify(subject_token, publicKey, { issuer, audience: id })
      const grant = await sign(payload.sub ?? '', audience, 'oauth-id-jag+jwt', { resource })
      grants.push(audience)
      const issued_token_type = tokenType('id-jag')
      return [200, { access_token: grant, token_type: 'N_A', issued_token_type }] as const
    } catch {
      return [400, { error: 'invalid_grant' }] as const
    }
  }

  const server = createServer(async (request, response) => {
    const [status, body] =
      request.url === '/token'
        ? await exchange(request)
        : request.url === '/.well-known/oauth-authorization-server'
          ? ([200, { issuer, token_endpoint: `${issuer}/token` }] as const)
          : ([404, {}] as const)
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // The platform does not keep the process running.
  server.unref()
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    issuer,
    keys: { keys: [jwk] },
    grants,
    issue: ({ subject, audience }) => sign(subject, audience, 'JWT'),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function basicCredentials({ headers }: IncomingMessage): string[] {
  const encoded = /^Basic (\S+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
  return Buffer.from(encoded, 'base64').toString().split(':').map(decodeURIComponent)
}

function isSame(given: string, expected: string | undefined): boolean {
  if (expected === undefined || given.length !== expected.length) return false
  return timingSafeEqual(Buffer.from(given), Buffer.from(expected))
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += chunk
  return body
}
