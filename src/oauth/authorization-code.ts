/**
 * Login with a browser.
 *
 * @module
 */
import * as client from 'openid-client'
import type { CredentialProvider } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import {
  authorizationUrl,
  checkLoginSupport,
  dropStored,
  finishAuthorization,
} from './authorization.ts'
import { bind } from './bound.ts'
import { waitForCallback } from './browser-login.ts'
import { identifyClient, type LoginClient } from './client-identity.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import type { PendingLogin } from './issuer-connection.ts'
import { checkLoginClient, checkLoginRedirect, type LoginClientOptions } from './login-client.ts'
import type { LoopbackListener } from './loopback.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'
import { registeredRedirectUri } from './registration.ts'
import { userTimeoutError } from './user-time-limit.ts'

/**
 * Options of {@link authorizationCode}.
 *
 * @group Logins of users
 */
export interface AuthorizationCodeOptions extends LoginClientOptions {
  /**
   * The redirect URI. Default `http://127.0.0.1/callback` on a free port, where this process
   * listens. Set a port if the server requires one. With your own https URL, `onAuthorizationUrl`
   * must resolve to the URL that the browser returned to.
   */
  readonly redirectUri?: string
  /**
   * Shows the URL to the user instead of opening a browser here. It may resolve to the URL that the
   * browser was sent back to (pasted by the user, say); otherwise this process waits for the browser.
   * `openBrowser()` opens a browser here all the same; it resolves to whether the program that does so succeeded, and
   * to `false` where `redirectUri` is not on this machine. `signal` aborts when the login has ended.
   */
  readonly onAuthorizationUrl?: (
    url: URL,
    options: { readonly signal: AbortSignal; openBrowser(): Promise<boolean> },
  ) => unknown
  /** Seconds that the user has. Default 240. */
  readonly loginTimeout?: number
}

const name = 'authorizationCode'
/** Seconds that the user has for the login. */
const defaultTimeout = 240

/**
 * Logs a user in with their browser: authorization code grant with PKCE, `state` and the issuer check
 * of RFC 9207. Later renewals use the refresh token, without the user.
 *
 * The client is the one of `clientId`, else its metadata document where the server supports that, else it
 * registers itself. A background renewal never opens a browser.
 *
 * Log in before `connect()`, because requests of the SDK time out after a minute:
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
 * @throws `ConfigurationError` when an option is invalid. An acquisition throws
 * `LoginRequiredError` when the user does not complete the login, `DiscoveryError` when the
 * server's metadata cannot be used.
 * @see RFC 6749, section 4.1; RFC 7636; RFC 8252; RFC 9207; MCP 2026-07-28, Authorization
 * @group Logins of users
 */
export function authorizationCode(options: AuthorizationCodeOptions = {}): CredentialProvider {
  checkAuthorizationCodeOptions(options)
  return oauthProvider({
    name,
    options,
    interactive: true,
    refusedRemedy: refusedRemedies.login,
    offline: true,
    run: (session) => logIn(session, options),
  })
}

function checkAuthorizationCodeOptions(options: AuthorizationCodeOptions): void {
  checkLoginClient(name, options, ['redirectUri', 'onAuthorizationUrl', 'loginTimeout'])
  const { redirectUri, onAuthorizationUrl, loginTimeout } = options
  if (redirectUri !== undefined) {
    checkLoginRedirect(`${name}.redirectUri`, redirectUri)
    if (redirectUri.startsWith('https:') && onAuthorizationUrl === undefined) {
      throw new ConfigurationError(
        `${name}.onAuthorizationUrl`,
        `${name}.onAuthorizationUrl is missing: this process does not receive requests to ${new URL(redirectUri).host}.`,
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

async function logIn(
  session: GrantSession,
  options: AuthorizationCodeOptions,
): Promise<GrantResult> {
  const { context, server } = session
  checkLoginSupport(session, options.requireIss === true)
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
  const { onAuthorizationUrl, loginTimeout: timeout = defaultTimeout, requireIss = false } = options
  // A server that does not accept the redirect URI does not redirect the user (RFC 6749, section 4.1.2.1).
  const hint = `If the browser showed an error about \`redirect_uri\`, the server does not accept ${redirectUri}: register it for this client, or set \`redirectUri\` to one that is registered.`
  const late = (remedy: string) =>
    userTimeoutError(session, timeout, 'complete the login', `${remedy} ${hint}`)
  const timeoutError = late('Call `login()` to try again.')
  try {
    const url = await authorizationUrl(session, connection, { identity, login, options })
    const browser = { url, listener, onAuthorizationUrl, timeout, timeoutError }
    const callback = await waitForCallback(session, browser)
    const back = { callback, identity, login, requireIss }
    return await finishAuthorization(session, connection, back)
  } catch (error) {
    if (error !== timeoutError) throw error
    const remedy = await dropStored(session, identity)
    throw remedy === undefined ? error : late(remedy)
  }
}

function portOf(redirectUri: string | undefined): number | undefined {
  const port = redirectUri === undefined ? '' : new URL(redirectUri).port
  return port === '' ? undefined : Number(port)
}
