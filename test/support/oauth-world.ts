import type { ServerResponse } from 'node:http'
import type { AuthorizedFetchOptions, CredentialProvider } from '../../src/index.ts'
import { authorizedFetch } from '../../src/index.ts'
import type { GrantServer } from './grant-server.ts'
import { type RecordingOrigin, recordingOrigin, type SeenRequest } from './recording-origin.ts'

/** What a scripted endpoint answers. */
export interface Answer {
  readonly status?: number
  /** The reason phrase in UTF-8, which Node's own server would refuse to send. */
  readonly reason?: string
  readonly headers?: Record<string, string>
  /** The content type; `null`: none. Default `application/json`. */
  readonly type?: string | null
  /** Text or bytes as they are; anything else as JSON. Default `{}`. */
  readonly body?: unknown
  /** Cuts the connection after the body, before the end of the answer. */
  readonly cut?: boolean
  /** Leaves the answer open after the body, as an event stream. */
  readonly open?: boolean
}

type Params = URLSearchParams

/** What differs from a well-behaved pair of servers. Functions get the servers' base URLs. */
export interface Script {
  /** A server that checks clients, redirects and tokens; without it, every request succeeds. */
  readonly grants?: GrantServer
  /** Metadata is published for OpenID Connect only. */
  readonly openIdOnly?: boolean
  /** The path of the MCP server. Default `/mcp`. */
  readonly path?: string
  /** The path of the issuer. Default none. */
  readonly issuerPath?: string
  /** Members that replace those of the authorization server's metadata; `undefined` removes one. */
  readonly metadata?: (world: Bases) => Record<string, unknown>
  /** Answers requests for the authorization server's metadata instead. */
  readonly wellKnown?: (path: string, world: Bases) => Answer | undefined
  /** Members that replace those of the resource's metadata; `null`: it publishes none. */
  readonly resource?: null | ((world: Bases) => Record<string, unknown>)
  /** Answers requests for the resource's metadata instead. */
  readonly resourceWellKnown?: (path: string, world: Bases) => Answer | undefined
  /** Parameters of the challenge. Default: none. */
  readonly challenge?: (world: Bases) => string
  /** Replaces the parameters of an authorization request, such as by those that were pushed. */
  readonly authorizeParameters?: (parameters: Params) => Params
  /** Changes the redirect that ends a login. */
  readonly redirect?: (target: URL, world: Bases) => void
  /** Answers a registration. */
  readonly register?: (body: Record<string, unknown>) => Answer
  /** Answers a token request; `undefined`: a new token. */
  readonly token?: (params: Params, count: number, request: SeenRequest) => Answer | undefined
  /** Answers a request without a credential to the MCP server. Default: the challenge. */
  readonly bare?: (request: SeenRequest, world: Bases) => Answer | undefined
  /** Answers an authorized request. Default 200. */
  readonly mcp?: (token: string, request: SeenRequest, world: Bases) => Answer | undefined
}

export interface Bases {
  readonly mcp: string
  readonly issuer: string
}

export interface World extends Bases {
  /** The URL of the MCP server. */
  readonly url: string
  readonly mcpServer: RecordingOrigin
  readonly authorizationServer: RecordingOrigin
  /** The form bodies of all token requests. */
  tokenRequests(): Record<string, string>[]
  /** The paths that the authorization server was asked for, without query. */
  paths(): string[]
  /** The paths that the MCP server was asked for, without query. */
  mcpPaths(): string[]
  /** The parameters of all authorization requests. */
  logins(): Record<string, string>[]
  /** Sends a request to the MCP server with this provider. */
  call(provider: CredentialProvider, options?: Partial<AuthorizedFetchOptions>): Promise<Response>
}

/** An MCP server and its authorization server, each at an origin of its own, that do as the test says. */
export async function oauthWorld(script: Script = {}): Promise<World> {
  const { path = '/mcp', issuerPath = '' } = script
  const bases = { mcp: '', issuer: '' }
  let issued = 0
  const authorizationServer = await recordingOrigin((request, response) => {
    const url = new URL(request.url, bases.issuer)
    const answer = (given: Answer) => write(response, given)
    if (url.pathname.includes('/.well-known/')) {
      const scripted = script.wellKnown?.(url.pathname, bases)
      if (scripted !== undefined) return answer(scripted)
      const kind =
        script.openIdOnly === true ? 'openid-configuration' : 'oauth-authorization-server'
      const place = `/.well-known/${kind}${issuerPath}`
      if (url.pathname !== place || script.wellKnown !== undefined) return answer({ status: 404 })
      return answer({ body: metadataOf(bases, script) })
    }
    const granted = script.grants?.answer(url.pathname, request, bases.issuer)
    if (granted !== undefined) return answer(granted)
    if (url.pathname.endsWith('/register')) {
      const body = JSON.parse(request.body) as Record<string, unknown>
      return answer(
        script.register?.(body) ?? { status: 201, body: { ...body, client_id: 'registered-1' } },
      )
    }
    if (url.pathname.endsWith('/authorize')) {
      const parameters = script.authorizeParameters?.(url.searchParams) ?? url.searchParams
      const target = new URL(parameters.get('redirect_uri') ?? '')
      target.searchParams.set('code', 'code-1')
      target.searchParams.set('state', parameters.get('state') ?? '')
      script.redirect?.(target, bases)
      return answer({ status: 302, headers: { location: target.href } })
    }
    if (url.pathname.endsWith('/token')) {
      issued += 1
      const scripted = script.token?.(new URLSearchParams(request.body), issued, request)
      return answer(scripted ?? { body: tokenAnswer(issued) })
    }
    return answer({ status: 404 })
  })
  bases.issuer = `${authorizationServer.origin}${issuerPath}`
  const mcpServer = await recordingOrigin((request, response) => {
    const url = new URL(request.url, bases.mcp)
    const answer = (given: Answer) => write(response, given)
    if (url.pathname.startsWith('/.well-known/')) {
      const scripted = script.resourceWellKnown?.(url.pathname, bases)
      if (scripted !== undefined) return answer(scripted)
      const place = `/.well-known/oauth-protected-resource${path === '/' ? '' : path}`
      const isOther = url.pathname !== place || script.resourceWellKnown !== undefined
      if (isOther || script.resource === null) return answer({ status: 404 })
      const own = { resource: `${bases.mcp}${path}`, authorization_servers: [bases.issuer] }
      return answer({ body: { ...own, ...script.resource?.(bases) } })
    }
    const token = /^(?:Bearer|DPoP) (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    const refused =
      token === undefined
        ? (script.bare?.(request, bases) ?? { status: 401 })
        : script.grants?.accepts(token) === false
          ? { status: 401 }
          : script.mcp?.(token, request, bases)
    if (refused?.status !== 401) return answer(refused ?? {})
    const parameters = script.challenge?.(bases) ?? ''
    const header = parameters === '' ? 'Bearer' : `Bearer ${parameters}`
    return answer({ ...refused, headers: { 'www-authenticate': header, ...refused.headers } })
  })
  bases.mcp = mcpServer.origin
  const requestsTo = (ending: string) =>
    authorizationServer.requests.filter(({ url }) => (url.split('?')[0] ?? '').endsWith(ending))
  return {
    mcp: bases.mcp,
    issuer: bases.issuer,
    url: `${bases.mcp}${path}`,
    mcpServer,
    authorizationServer,
    tokenRequests: () =>
      requestsTo('/token').map(({ body }) => Object.fromEntries(new URLSearchParams(body))),
    paths: () => authorizationServer.requests.map(({ url }) => url.split('?')[0] ?? ''),
    mcpPaths: () => mcpServer.requests.map(({ url }) => url.split('?')[0] ?? ''),
    logins: () =>
      requestsTo('/authorize').map(({ url }) =>
        Object.fromEntries(new URL(url, bases.issuer).searchParams),
      ),
    call: (provider, options = {}) =>
      authorizedFetch(provider, { resource: `${bases.mcp}${path}`, ...options })(
        `${bases.mcp}${path}`,
        { method: 'POST', body: '{}' },
      ),
  }
}

function write(response: ServerResponse, answer: Answer): void {
  const { status = 200, headers = {}, type = 'application/json', body = {}, cut = false } = answer
  const isRaw = typeof body === 'string' || body instanceof Uint8Array
  const bytes = isRaw ? Buffer.from(body) : Buffer.from(JSON.stringify(body))
  if (answer.reason !== undefined) {
    const head = [
      `HTTP/1.1 ${status} ${answer.reason}`,
      `content-type: ${type}`,
      `content-length: ${bytes.length}`,
      'connection: close',
    ]
    response.socket?.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]))
    return
  }
  const length = cut ? { 'content-length': String(bytes.length + 100) } : {}
  response.writeHead(status, {
    ...(type === null ? {} : { 'content-type': type }),
    ...headers,
    ...length,
  })
  if (answer.open === true) response.write(bytes)
  else if (cut) response.write(bytes, () => response.destroy())
  else response.end(bytes)
}

/** A well-formed token response. */
export function tokenAnswer(count: number, more: Record<string, unknown> = {}): object {
  return { access_token: `access-${count}`, token_type: 'Bearer', expires_in: 3600, ...more }
}

function metadataOf(bases: Bases, script: Script): Record<string, unknown> {
  const { issuer } = bases
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    ...script.grants?.metadata(issuer),
    ...script.metadata?.(bases),
  }
}
