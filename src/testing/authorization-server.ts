/**
 * An authorization server in this process, for tests.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { Grants, type IssueOptions, refusal } from './grants.ts'
import { type Answer, checkCount, listen, type TestRequest } from './http.ts'
import { ScriptedAnswers } from './scripted-answers.ts'

const knownOptions = ['tokenLifetime', 'expiresIn', 'rotate', 'scope', 'now']

/**
 * An authorization server on this machine that a test controls.
 *
 * @group Servers
 */
export interface TestAuthorizationServer {
  /** The issuer identifier, which is the server's address. */
  readonly issuer: string
  /** Every request that was received, on any path, in the order of arrival. */
  readonly requests: readonly TestRequest[]
  /** The parameters of the requests to the token endpoint, in the order of arrival. */
  tokenRequests(): readonly Readonly<Record<string, string>>[]
  /**
   * Acts as the user: consents, and follows the redirect back to the client. Pass it as the option
   * `onAuthorizationUrl` of `authorizationCode`.
   */
  readonly visit: (url: URL) => Promise<void>
  /**
   * Refuses the grants of the next `count` token requests with `invalid_grant`, as when a login has ended;
   * `Infinity` for all, 0 to cancel earlier calls. `authorizationCode` with
   * {@link TestAuthorizationServer.visit} then logs in again; only a provider without interactive login,
   * such as `savedLogin`, fails with `login_required`.
   */
  refuse(count: number): void
  /** Answers the next token request with this HTTP status, such as 503, and no body. */
  failNext(status: number): void
  /** Expires every access token at once; refresh tokens stay valid. */
  expireTokens(): void
  /** Returns the grant of an access token; `undefined`: the token is invalid. */
  inspect(token: string):
    | {
        /** The scopes, separated by spaces. */
        readonly scope: string
        /** The `resource` parameter (RFC 8707); empty when there was none. */
        readonly resource: string
      }
    | undefined
  /** Ends all connections. */
  close(): Promise<void>
}

/**
 * Starts an OAuth authorization server on a free port of this machine: metadata (RFC 8414), registration
 * (RFC 7591), the grants `authorization_code` with PKCE, `refresh_token` and `client_credentials`, and
 * revocation (RFC 7009). No login or consent is needed, and every client is accepted, whatever its secret.
 * A refresh token that is used a second time revokes all tokens of its login.
 *
 * @param options.tokenLifetime - Lifetime of access tokens in seconds. Default 3600.
 * @param options.expiresIn - Whether token responses contain `expires_in`. Default `true`.
 * @param options.rotate - Whether each refresh replaces the refresh token. Default `true`.
 * @param options.scope - The scopes of a request that names none, separated by spaces. Default `mcp`.
 * @param options.now - The clock, in milliseconds since the epoch. Default: `Date.now`.
 * @throws `ConfigurationError` when an option is unknown, or `tokenLifetime` is not a positive number.
 *
 * @example
 * ```ts
 * import { testAuthorizationServer } from 'mcp-credentials/testing'
 *
 * const server = await testAuthorizationServer({ tokenLifetime: 60 })
 * server.failNext(503)
 * await server.close()
 * ```
 * @group Servers
 */
export async function testAuthorizationServer(
  options: {
    readonly tokenLifetime?: number
    readonly expiresIn?: boolean
    readonly rotate?: boolean
    readonly scope?: string
    readonly now?: () => number
  } = {},
): Promise<TestAuthorizationServer> {
  const grants = new Grants(issueOptionsOf(options))
  const scripted = new ScriptedAnswers<Answer>()
  const { origin, requests, close } = await listen((request) => {
    const next = request.url.pathname === '/token' ? scripted.next() : undefined
    return next ?? answer(grants, request)
  })
  return {
    issuer: origin,
    requests,
    tokenRequests: () =>
      requests
        .filter(({ url }) => url.pathname === '/token')
        .map(({ body }) => Object.fromEntries(new URLSearchParams(body))),
    visit,
    refuse(count) {
      checkCount('refuse', count)
      scripted.addRefusals(refusal('invalid_grant'), count)
    },
    failNext: (status) => scripted.addOnce({ status }),
    expireTokens: () => grants.expire(),
    inspect: (token) => grants.inspect(token),
    close,
  }
}

/** Checks the options, and fills in the defaults. */
function issueOptionsOf(options: Partial<IssueOptions>): IssueOptions {
  checkOptions('testAuthorizationServer', options, knownOptions)
  const { tokenLifetime = 3600, expiresIn = true, rotate = true, scope = 'mcp' } = options
  if (!(tokenLifetime > 0 && Number.isFinite(tokenLifetime))) {
    throw new ConfigurationError(
      'testAuthorizationServer.tokenLifetime',
      'testAuthorizationServer: `tokenLifetime` must be a positive number of seconds.',
    )
  }
  return { tokenLifetime, expiresIn, rotate, scope, now: options.now ?? Date.now }
}

function answer(grants: Grants, request: TestRequest): Answer {
  const { url, body } = request
  switch (url.pathname) {
    case '/.well-known/oauth-authorization-server':
      return { body: metadataOf(url.origin) }
    case '/register':
      return register(body)
    case '/authorize':
      return authorize(grants, url)
    case '/token':
      return answerToken(grants, request)
    case '/revoke':
      grants.revoke(new URLSearchParams(body).get('token') ?? '')
      return {}
    default:
      return { status: 404 }
  }
}

function metadataOf(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    revocation_endpoint: `${issuer}/revoke`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    authorization_response_iss_parameter_supported: true,
  }
}

function register(body: string): Answer {
  const client_id = `client-${randomUUID()}`
  return { status: 201, body: { ...(JSON.parse(body) as object), client_id } }
}

/** Consents at once, and redirects the browser (RFC 6749, section 4.1.2; RFC 9207). */
function authorize(grants: Grants, { searchParams, origin }: URL): Answer {
  const redirectUri = searchParams.get('redirect_uri') ?? ''
  const isAcceptable =
    URL.canParse(redirectUri) &&
    searchParams.get('response_type') === 'code' &&
    searchParams.get('code_challenge_method') === 'S256'
  if (!isAcceptable) return refusal('invalid_request')
  const target = new URL(redirectUri)
  target.searchParams.set('code', grants.authorize(searchParams))
  target.searchParams.set('state', searchParams.get('state') ?? '')
  target.searchParams.set('iss', origin)
  return { status: 302, headers: { location: target.href } }
}

function answerToken(grants: Grants, { headers, body }: TestRequest): Answer {
  const parameters = new URLSearchParams(body)
  const clientId = parameters.get('client_id') ?? basicUser(headers.get('Authorization') ?? '')
  return clientId === undefined ? refusal('invalid_client') : grants.redeem(parameters, clientId)
}

/** The user name of Basic authentication, which is form-encoded here (RFC 6749, section 2.3.1). */
function basicUser(header: string): string | undefined {
  const encoded = /^basic +(.+)$/i.exec(header)?.[1]
  if (encoded === undefined) return undefined
  const [user = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  return new URLSearchParams(`user=${user}`).get('user') ?? undefined
}

/** Follows redirects to the end, as a browser does. */
async function visit(url: URL): Promise<void> {
  const response = await fetch(url)
  await response.body?.cancel()
  if (response.ok) return
  throw new Error(
    `The login ended with status ${response.status} at ${new URL(response.url).host}.`,
  )
}
