import './quiet.ts'

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose'
import Provider, { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { Browser } from './browser.ts'
import type { ClientMetadata } from './oauth-clients.ts'

/** Options of {@link startAuthorizationServer}. */
export interface AuthorizationServerOptions {
  /** Clients that are registered beforehand, in the form of RFC 7591. */
  readonly clients?: readonly ClientMetadata[]
  /** The scopes of MCP servers. `notes:read notes:write` unless told. */
  readonly scopes?: readonly string[]
  /** The life of access tokens in seconds; 600 unless told. */
  readonly tokenLifetime?: number
  /** Whether proofs of possession need a nonce; `false` unless told. */
  readonly dpopNonce?: boolean
  /** Whether the user must click. Default `false`: every user is `alice` and consents. */
  readonly manual?: boolean
  /** The platforms whose workloads may exchange a JWT of theirs. */
  readonly platforms?: readonly Platform[]
  /**
   * A second address, over https with these certificates, where clients may show certificates of their own
   * (RFC 8705, section 5).
   */
  readonly mutualTls?: Pick<ServerOptions, 'cert' | 'key' | 'ca'>
  /** The origin of a web page whose scripts may send requests; none unless told. */
  readonly allowedOrigin?: string
  /** Gets one line for each request by a client, without credentials. */
  readonly announce?: (line: string) => void
}

/** A platform that issues JWTs to workloads (Kubernetes, a CI service, an identity provider). */
export interface Platform {
  readonly issuer: string
  readonly keys: { readonly keys: readonly JWK[] }
}

/** One request to the token endpoint. */
export interface TokenRequest {
  readonly grantType: string
  readonly parameters: Readonly<Record<string, string>>
  readonly status: number
}

/** An authorization server that is listening. */
export interface AuthorizationServer {
  readonly issuer: string
  /** Every request to the token endpoint, in the order of the responses. */
  readonly tokenRequests: TokenRequest[]
  /** Every path that was asked for. */
  readonly paths: string[]
  /** Simulates a user with a browser: logs in, consents and follows the redirect to the client. */
  approve(url: URL): Promise<void>
  /** Simulates a user who enters a code on another device. */
  approveDevice(userCode: string): Promise<void>
  close(): Promise<void>
}

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Starts a certified OpenID Connect and OAuth server, in memory and on a free port of this machine. */
export async function startAuthorizationServer(
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => void = () => {}
  const listener = (request: IncomingMessage, response: ServerResponse) => handle(request, response)
  const server = createServer(listener)
  const issuer = `http://127.0.0.1:${await listen(server)}`
  const servers = [server]
  let certificates: CertificateSupport | undefined
  if (options.mutualTls !== undefined) {
    const tls = { ...options.mutualTls, requestCert: true, rejectUnauthorized: false }
    const secure = createTlsServer(tls, listener)
    servers.push(secure)
    certificates = certificateSupport(`https://127.0.0.1:${await listen(secure)}`)
  }
  const provider = new Provider(issuer, configurationOf(options, certificates))
  addWorkloadGrants(provider, options.platforms ?? [])
  const tokenRequests: TokenRequest[] = []
  const paths: string[] = []
  provider.use(async (context, next) => {
    paths.push(context.path)
    if (options.manual !== true && context.path.startsWith('/interaction/')) {
      return agree(provider, context.req, context.res)
    }
    await next()
    // Devices would ask every five seconds otherwise (RFC 8628 section 3.2).
    if (context.path === '/device/auth' && context.status === 200) {
      context.body = { ...(context.body as object), interval: 1 }
    }
    const body = (context as KoaContextWithOIDC).oidc?.body
    if (['/reg', '/device/auth', '/token/revocation'].includes(context.path)) {
      options.announce?.(`${context.method} ${context.path} → ${context.status}`)
    }
    if (context.path !== '/token') return
    const parameters = Object.fromEntries(
      Object.entries(body ?? {}).filter((entry): entry is [string, string] => {
        return typeof entry[1] === 'string'
      }),
    )
    const { grant_type = '' } = parameters
    tokenRequests.push({ grantType: grant_type, parameters, status: context.status })
    options.announce?.(`POST /token ${grant_type.split(':').at(-1)} → ${context.status}`)
  })
  handle = provider.callback()
  return {
    issuer,
    tokenRequests,
    paths,
    approve: (url) => new Browser(issuer).visit(url),
    async approveDevice(userCode) {
      const browser = new Browser(issuer)
      await browser.submit(new URL('/device', issuer), { user_code: userCode })
    },
    async close() {
      for (const each of servers) {
        each.close()
        each.closeAllConnections()
      }
    },
  }
}

/** Listens on a free port of this machine, and returns it. */
async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** The parts of a configuration that have to do with certificates of clients. */
interface CertificateSupport {
  readonly discovery: NonNullable<Configuration['discovery']>
  readonly mTLS: NonNullable<NonNullable<Configuration['features']>['mTLS']>
}

/** Lets clients authenticate by the name in their certificate. */
function certificateSupport(origin: string): CertificateSupport {
  const socketOf = ({ req }: { req: IncomingMessage }) => req.socket as TLSSocket
  return {
    discovery: {
      mtls_endpoint_aliases: {
        token_endpoint: `${origin}/token`,
        revocation_endpoint: `${origin}/token/revocation`,
      },
    },
    mTLS: {
      enabled: true,
      tlsClientAuth: true,
      getCertificate: (context) => socketOf(context).getPeerX509Certificate?.()?.toString(),
      certificateAuthorized: (context) => socketOf(context).authorized,
      certificateSubjectMatches: (context, _property, expected) =>
        expected === `CN=${socketOf(context).getPeerCertificate().subject.CN}`,
    },
  }
}

function configurationOf(
  options: AuthorizationServerOptions,
  certificates?: CertificateSupport,
): Configuration {
  const { scopes = ['notes:read', 'notes:write'], tokenLifetime = 600 } = options
  return {
    clients: (options.clients ?? []) as never,
    scopes: ['openid', 'offline_access', ...scopes],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    rotateRefreshToken: true,
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
    pkce: { required: () => true },
    ...(certificates === undefined ? {} : { discovery: certificates.discovery }),
    clientAuthMethods: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      ...(certificates === undefined ? [] : (['tls_client_auth'] as const)),
    ],
    cookies: { keys: ['not-a-secret-in-an-example'] },
    formats: {
      customizers: {
        // A token for a workload or a user is about them, not about the client.
        jwt({ state }, _token, { payload }) {
          if (typeof state['subject'] === 'string') payload['sub'] = state['subject']
        },
      },
    },
    clientBasedCORS: (_context, origin) => origin === options.allowedOrigin,
    ttl: {
      AccessToken: tokenLifetime,
      ClientCredentials: tokenLifetime,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
      DeviceCode: 600,
    },
    features: {
      ...(certificates === undefined ? {} : { mTLS: certificates.mTLS }),
      devInteractions: { enabled: options.manual ?? false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      registration: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      dPoP: {
        enabled: true,
        nonceSecret: Buffer.alloc(32, 'example'),
        requireNonce: () => options.dpopNonce ?? false,
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: async () => true,
        getResourceServerInfo: async (_context, resource) => ({
          scope: scopes.join(' '),
          audience: resource,
          accessTokenTTL: tokenLifetime,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
}

/** Logs in as alice and agrees to whatever is asked. */
async function agree(
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    const login = { accountId: 'alice' }
    return provider.interactionFinished(request, response, { login })
  }
  const accountId = session?.accountId ?? 'alice'
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const grant = known ?? new provider.Grant({ accountId, clientId: String(params['client_id']) })
  const { missingOIDCScope, missingResourceScopes } = prompt.details as {
    missingOIDCScope?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(' '))
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  const consent = { grantId: await grant.save() }
  const merge = { mergeWithLastSubmission: true }
  return provider.interactionFinished(request, response, { consent }, merge)
}

/** Lets workloads exchange the JWT of their platform for an access token (RFC 7523, RFC 8693). */
function addWorkloadGrants(provider: Provider, platforms: readonly Platform[]): void {
  const issue = async (context: KoaContextWithOIDC, assertion: unknown) => {
    const { client, params, issuer } = context.oidc
    if (client === undefined || params === undefined) throw new errors.InvalidClient('unknown')
    const subject = await verify(String(assertion), issuer, platforms)
    if (subject === undefined) throw new errors.InvalidGrant('the assertion is not acceptable')
    context.state['subject'] = subject
    const token = new provider.ClientCredentials({ client, scope: String(params['scope'] ?? '') })
    const resource = String(params['resource'] ?? '')
    const { features } = configurationOf({})
    const info = features?.resourceIndicators?.getResourceServerInfo
    if (resource !== '' && info !== undefined) {
      const { ResourceServer } = provider as unknown as {
        ResourceServer: new (resource: string, info: unknown) => never
      }
      token.resourceServer = new ResourceServer(resource, await info(context, resource, client))
    }
    context.body = {
      access_token: await token.save(),
      token_type: 'Bearer',
      expires_in: token.expiration,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
  }
  const own = ['scope', 'resource']
  provider.registerGrantType(
    jwtBearer,
    (context) => issue(context, context.oidc.params?.['assertion']),
    ['assertion', ...own],
  )
  provider.registerGrantType(
    tokenExchange,
    (context) => issue(context, context.oidc.params?.['subject_token']),
    ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', ...own],
  )
}

/** The subject of a JWT that a known platform issued for this server. */
async function verify(
  assertion: string,
  audience: string,
  platforms: readonly Platform[],
): Promise<string | undefined> {
  for (const { issuer, keys } of platforms) {
    try {
      const set = createLocalJWKSet({ keys: [...keys.keys] })
      const { payload } = await jwtVerify(assertion, set, { issuer, audience })
      return payload.sub
    } catch {
      // Another platform may have issued it.
    }
  }
  return undefined
}
