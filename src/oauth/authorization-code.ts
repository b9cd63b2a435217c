/**
 * The user logs in with a browser.
 *
 * @module
 */
import * as client from 'openid-client'
import type { CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError, LoginRequiredError } from '../errors.ts'
import { bind } from './bound.ts'
import { checkCallback, waitForCallback } from './browser-login.ts'
import { checkRegistration, identifyClient, type LoginClient } from './client-identity.ts'
import { checkClientMetadataUrl, checkRedirectUri } from './client-metadata.ts'
import { unsupported } from './connection.ts'
import { isClientRefused } from './error-mapping.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import type { Connection, PendingLogin } from './issuer-connection.ts'
import type { LoopbackListener } from './loopback.ts'
import { checkOAuthOptions, type OAuthOptions } from './options.ts'
import { checkAuthorizationParameters, checkOwnEndpoint } from './own-endpoints.ts'
import { checkPolicy, type OAuthPolicy, originsOf, scopesOf } from './policy.ts'
import { oauthProvider } from './provider.ts'
import {
  confirmRegistration,
  dropRegistration,
  forgetRegistration,
  registeredRedirectUri,
} from './registration.ts'
import { userTimeoutError } from './user-time-limit.ts'

/** Options of {@link authorizationCode}. */
export interface AuthorizationCodeOptions extends OAuthOptions {
  /**
   * The URL of the client's metadata document, which is its client identifier at servers that support
   * it (Client ID Metadata Documents). Publish what {@link clientMetadataDocument} returns there.
   */
  readonly clientMetadataUrl?: string
  /**
   * What the server demands of clients that register themselves, where it does not allow that to everybody: an
   * initial access token, a software statement, or both (RFC 7591). They need `issuer`, and are sent to no other.
   */
  readonly registration?: {
    /** The token that allows to register. Read for each registration. */
    readonly initialAccessToken?: Secret
    /** A JWT in which somebody whom the server trusts describes the software. Read for each registration. */
    readonly softwareStatement?: Secret
  }
  /** The name that the user sees when they are asked for consent. Default `MCP client`. */
  readonly clientName?: string
  /**
   * Where the browser returns to. Default `http://127.0.0.1/callback` on a free port, where this process
   * listens. Set a port if the server insists on one. With an https URL of your own,
   * `onAuthorizationUrl` must resolve to the URL that the browser returned to.
   */
  readonly redirectUri?: string
  /**
   * Shows the URL to the user instead of opening a browser here. It may resolve to the URL that the
   * browser was sent back to (pasted by the user, say); otherwise this process waits for the browser.
   */
  readonly onAuthorizationUrl?: (url: URL, options: { readonly signal: AbortSignal }) => unknown
  /** Seconds that the user has. Default 240. */
  readonly loginTimeout?: number
  /** Further parameters of the authorization request, such as `prompt` or `login_hint`. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /**
   * Refuse a login whose response does not name its issuer (RFC 9207). Default `false`: only servers that
   * promise to do so have to.
   */
  readonly requireIss?: boolean
}

const own: readonly string[] = [
  'clientMetadataUrl',
  'registration',
  'clientName',
  'redirectUri',
  'onAuthorizationUrl',
  'loginTimeout',
  'authorizationParameters',
  'requireIss',
]
const name = 'authorizationCode'
/** Seconds that the user has. */
const defaultTimeout = 240

/**
 * Logs a user in with their browser: authorization code grant with PKCE, `state` and the issuer check
 * of RFC 9207. Later renewals use the refresh token, without the user.
 *
 * The client is the one of `clientId`, else its metadata document where the server supports that, else
 * it registers itself. A renewal in the background never opens a browser.
 *
 * Log in before `connect()`, since the SDK gives up on a request after a minute:
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'mcp-credentials'
 * import { authorizationCode } from 'mcp-credentials/oauth'
 *
 * const fetch = authorizedFetch(authorizationCode({ clientName: 'Notes agent' }), {
 *   resource: 'https://mcp.example.com/mcp',
 * })
 * await fetch.login()
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong. An acquisition throws
 * `LoginRequiredError` when the user does not complete the login, `DiscoveryError` when the server
 * cannot be used safely.
 * @see RFC 6749, section 4.1; RFC 7636; RFC 8252; RFC 9207; MCP 2026-07-28, Authorization
 */
export function authorizationCode(options: AuthorizationCodeOptions = {}): CredentialProvider {
  checkAuthorizationCodeOptions(options)
  return oauthProvider({
    name,
    options,
    interactive: true,
    offline: true,
    run: (session) => logIn(session, options),
  })
}

function checkAuthorizationCodeOptions(options: AuthorizationCodeOptions): void {
  checkOAuthOptions(name, options, own)
  const { clientMetadataUrl, redirectUri, onAuthorizationUrl, loginTimeout } = options
  checkAuthorizationParameters(name, options.authorizationParameters)
  checkRegistration(name, options)
  checkAssertion(options)
  if (clientMetadataUrl !== undefined) {
    checkClientMetadataUrl(`${name}.clientMetadataUrl`, clientMetadataUrl)
  }
  if (redirectUri !== undefined) {
    checkRedirectUri(`${name}.redirectUri`, redirectUri)
    if (new URL(redirectUri).search !== '') {
      throw new ConfigurationError(
        `${name}.redirectUri`,
        `${name}.redirectUri must not have a query; register a path of its own instead.`,
      )
    }
    if (redirectUri.startsWith('https:') && onAuthorizationUrl === undefined) {
      throw new ConfigurationError(
        `${name}.onAuthorizationUrl`,
        `${name}.onAuthorizationUrl is missing: this process cannot see what arrives at ${new URL(redirectUri).host}.`,
      )
    }
  }
  if (loginTimeout !== undefined && !(loginTimeout > 0 && loginTimeout <= 290)) {
    throw new ConfigurationError(
      `${name}.loginTimeout`,
      `${name}.loginTimeout must be a number of seconds from 1 to 290.`,
    )
  }
}

/** Checks that an assertion has a client, and that a client whose document everybody reads has no secret. */
function checkAssertion({
  clientId,
  clientMetadataUrl,
  clientAuth,
}: AuthorizationCodeOptions): void {
  if (typeof clientAuth !== 'object' || clientId !== undefined) return
  const isSecret = clientAuth.method === 'client_secret_jwt'
  if (clientMetadataUrl !== undefined && !isSecret) return
  throw new ConfigurationError(
    `${name}.clientAuth`,
    isSecret
      ? `${name}.clientAuth: clientSecretJwt() needs \`clientId\`; a client with a metadata document uses privateKeyJwt().`
      : `${name}.clientAuth needs \`clientId\` or \`clientMetadataUrl\`; a client that registers itself is given its own way to authenticate.`,
  )
}

async function logIn(
  session: GrantSession,
  options: AuthorizationCodeOptions,
): Promise<GrantResult> {
  const { context, server } = session
  checkSupport(session, options)
  const state = client.randomState()
  const configured = new URL(options.redirectUri ?? 'http://127.0.0.1/callback')
  const isLocal = configured.protocol === 'http:'
  const known = await registeredRedirectUri(context, server.issuer)
  const preferredPort = portOf(known)
  const listener = isLocal ? await listen(configured, preferredPort, state) : undefined
  try {
    const redirectUri = listener?.redirectUri ?? configured.href
    const identity = await identifyClient(session, options, redirectUri)
    return await authorize(session, options, { state, redirectUri, listener, identity })
  } finally {
    listener?.close()
  }
}

// Loaded when needed, because only Node can listen.
async function listen(
  redirectUri: URL,
  preferredPort: number | undefined,
  state: string,
): Promise<LoopbackListener> {
  const { listenForCallback } = await import('./loopback.ts')
  return listenForCallback({ redirectUri, preferredPort, state })
}

/** Everything is checked before anything is sent or opened. */
function checkSupport(
  { name: provider, server, context }: GrantSession,
  { requireIss = false }: AuthorizationCodeOptions,
): void {
  const { metadata } = server
  const { authorization_endpoint } = metadata
  if (authorization_endpoint === undefined) {
    const remedy = 'Use clientCredentials(), or the grant that its operator names.'
    throw unsupported(provider, server, context, 'offers no login with a browser', remedy)
  }
  const namesItself = requireIss || metadata.authorization_response_iss_parameter_supported === true
  if (!namesItself) checkOwnEndpoint(server, 'authorization_endpoint', context.resource)
  if (server.hasPkce) return
  const remedy =
    'MCP forbids to go on without PKCE. If you know that the server supports it, pass `metadata` that says so.'
  throw unsupported(provider, server, context, 'does not say that it supports PKCE (S256)', remedy)
}

interface Login {
  readonly state: string
  readonly redirectUri: string
  readonly listener: LoopbackListener | undefined
  readonly identity: LoginClient
}

async function authorize(
  session: GrantSession,
  options: AuthorizationCodeOptions,
  { state, redirectUri, listener, identity }: Login,
): Promise<GrantResult> {
  const { issuer } = session.server
  const connection = await session.connect(identity.client)
  const login: PendingLogin = {
    state: bind('state', state, issuer),
    verifier: bind('code verifier', client.randomPKCECodeVerifier(), issuer),
    redirectUri,
  }
  const { loginTimeout: timeout = defaultTimeout, requireIss = false } = options
  // A server that does not accept the redirect URI never sends the user back (RFC 6749, section 4.1.2.1).
  const hint = `If the browser showed an error about \`redirect_uri\`, the server does not accept ${redirectUri}: register it for this client, or set \`redirectUri\` to one that is registered.`
  const late = (remedy: string) =>
    userTimeoutError(session, timeout, 'complete the login', `${remedy} ${hint}`)
  const timeoutError = late('Call `login()` to try again.')
  try {
    const url = await authorizationUrl(session, options, identity, connection, login)
    const { onAuthorizationUrl } = options
    const browser = { url, listener, onAuthorizationUrl, timeout, timeoutError }
    const callback = await waitForCallback(session, browser)
    checkCallback(session, callback, login, requireIss)
    await checkClientIsKnown(session, identity, callback)
    return await redeemCode(session, connection, callback, login)
  } catch (error) {
    if (error !== timeoutError) throw error
    const remedy = await dropStored(session, identity)
    throw remedy === undefined ? error : late(remedy)
  }
}

/** The URL that the user opens; a server that wants the request pushed may refuse the client there already. */
async function authorizationUrl(
  session: GrantSession,
  { authorizationParameters, allow }: AuthorizationCodeOptions,
  identity: LoginClient,
  connection: Connection,
  login: PendingLogin,
): Promise<URL> {
  const { server, parameters, context, authentication } = session
  const pushed = server.metadata.require_pushed_authorization_requests === true
  await allowLogin(session, allow, identity.client.clientId)
  context.signal.throwIfAborted()
  const request = {
    ...parameters,
    ...server.authorizationParameters,
    ...authorizationParameters,
    ...authentication,
  }
  try {
    return await connection.authorizationUrl(login, pushed, request)
  } catch (error) {
    if (!isClientRefused(error) || !identity.client.isDynamic) throw error
    throw unknownClient(session, 'invalid_client', await dropStored(session, identity))
  }
}

/** Refuses an answer that says that the client is not registered. */
async function checkClientIsKnown(
  session: GrantSession,
  identity: LoginClient,
  { searchParams }: URL,
): Promise<void> {
  const code = searchParams.get('error')
  const isUnknown = code === 'invalid_client' || code === 'unauthorized_client'
  if (!identity.client.isDynamic || !isUnknown) return
  throw unknownClient(session, code, await dropStored(session, identity))
}

/** Drops the registration that a login has failed with; returns what to do then, `undefined` when it stays. */
async function dropStored(
  { context, server }: GrantSession,
  { client: { clientId }, isStored }: LoginClient,
): Promise<string | undefined> {
  if (!isStored) return undefined
  const isDropped = await dropRegistration(context, server.issuer, clientId)
  if (!isDropped) return undefined
  return 'Call `login()` again: in case the server has forgotten the client, it is registered anew then.'
}

function unknownClient(
  { name: provider, context, server }: GrantSession,
  code: string,
  remedy = 'Register a client by hand, and pass its `clientId` with `issuer`.',
): LoginRequiredError {
  const { host } = new URL(server.issuer)
  return new LoginRequiredError(
    'grant_rejected',
    `${provider}: ${host} does not accept the client that registered itself there (${code}).`,
    { resource: context.resource, provider, remedy },
  )
}

function allowLogin(
  { context, server, scope }: GrantSession,
  allow: OAuthPolicy | undefined,
  clientId: string,
): Promise<void> {
  const { authorization_endpoint, pushed_authorization_request_endpoint } = server.metadata
  const isPushed = server.metadata.require_pushed_authorization_requests === true
  const pushed = isPushed ? pushed_authorization_request_endpoint : undefined
  return checkPolicy(allow, context, {
    type: 'authorization',
    grantType: 'authorization_code',
    issuer: server.issuer,
    origins: originsOf(authorization_endpoint, pushed),
    clientId,
    scopes: scopesOf(scope),
  })
}

async function redeemCode(
  { context, parameters }: GrantSession,
  connection: Connection,
  callback: URL,
  login: PendingLogin,
): Promise<GrantResult> {
  const { scope: _asAuthorized, ...rest } = parameters
  const { issuer, client: registered } = connection
  try {
    // A code cannot be used twice, so from here on a repetition needs a new login.
    if (!callback.searchParams.has('error')) await context.commit()
    const returned = bind('authorization code', callback, issuer)
    const response = await connection.redeemCode(returned, login, rest)
    await confirmRegistration(context, issuer, registered.clientId).catch(() => {})
    return { response, connection }
  } catch (error) {
    if (isClientRefused(error)) await forgetRegistration(context, issuer, registered.clientId)
    throw error
  }
}

function portOf(redirectUri: string | undefined): number | undefined {
  const port = redirectUri === undefined ? '' : new URL(redirectUri).port
  return port === '' ? undefined : Number(port)
}
