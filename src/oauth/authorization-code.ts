/**
 * A person logs in with a browser.
 *
 * @module
 */
import * as client from 'openid-client'
import type { CredentialProvider } from '../credential.ts'
import { ConfigurationError, CredentialError, LoginRequiredError } from '../errors.ts'
import { scopeUnion } from '../scope.ts'
import { abortable } from '../waiting.ts'
import { unsupported } from './connection.ts'
import { isClientRefused } from './error-mapping.ts'
import type { LoopbackListener } from './loopback.ts'
import { checkOAuthOptions, type OAuthOptions } from './options.ts'
import { type GrantResult, type GrantSession, oauthProvider } from './provider.ts'
import {
  checkClientMetadataUrl,
  checkRedirectUri,
  forgetRegistration,
  type RegisteredClient,
  register,
  registeredRedirectUri,
  storedRegistration,
} from './registration.ts'

/** Options of {@link authorizationCode}. */
export interface AuthorizationCodeOptions extends OAuthOptions {
  /**
   * The URL of the client's metadata document, which is its client identifier at servers that support
   * it (Client ID Metadata Documents). Publish what {@link clientMetadataDocument} returns there.
   */
  readonly clientMetadataUrl?: string
  /** The name that a person sees when they are asked for consent. Default `MCP client`. */
  readonly clientName?: string
  /**
   * Where the browser returns to. Default `http://127.0.0.1/callback` on a free port, where this process
   * listens. Set a port if the server insists on one. With an https URL of your own,
   * `onAuthorizationUrl` must resolve to the URL that the browser returned to.
   */
  readonly redirectUri?: string
  /**
   * Shows the URL to the person instead of opening a browser here. It may resolve to the URL that the
   * browser was sent back to (pasted by the person, say); otherwise this process waits for the browser.
   */
  readonly onAuthorizationUrl?: (url: URL, options: { readonly signal: AbortSignal }) => unknown
  /** Seconds that the person has. Default 240. */
  readonly loginTimeout?: number
  /** Further parameters of the authorization request, such as `prompt` or `login_hint`. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
}

const own: readonly string[] = [
  'clientMetadataUrl',
  'clientName',
  'redirectUri',
  'onAuthorizationUrl',
  'loginTimeout',
  'authorizationParameters',
]
const name = 'authorizationCode'

/**
 * Logs a person in with their browser: authorization code grant with PKCE, `state` and the issuer check
 * of RFC 9207. Later renewals use the refresh token, without a person.
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
 * `LoginRequiredError` when nobody completes the login, `DiscoveryError` when the server
 * cannot be used safely.
 * @see RFC 6749, section 4.1; RFC 7636; RFC 8252; RFC 9207; MCP 2026-07-28, Authorization
 */
export function authorizationCode(options: AuthorizationCodeOptions = {}): CredentialProvider {
  checkOAuthOptions(name, options, own)
  const { clientMetadataUrl, redirectUri, onAuthorizationUrl, loginTimeout = 240 } = options
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
        `${name}.onAuthorizationUrl is missing: nobody else sees what arrives at ${new URL(redirectUri).host}.`,
      )
    }
  }
  if (!(loginTimeout > 0 && loginTimeout <= 290)) {
    throw new ConfigurationError(
      `${name}.loginTimeout`,
      `${name}.loginTimeout must be a number of seconds from 1 to 290.`,
    )
  }
  return oauthProvider({
    name,
    options,
    interactive: true,
    offline: true,
    run: (session) => logIn(session, options),
  })
}

async function logIn(
  session: GrantSession,
  options: AuthorizationCodeOptions,
): Promise<GrantResult> {
  const { context, server } = session
  checkSupport(session)
  const state = client.randomState()
  const configured = new URL(options.redirectUri ?? 'http://127.0.0.1/callback')
  const isLocal = configured.protocol === 'http:'
  const known = await registeredRedirectUri(context, server.metadata.issuer)
  const preferredPort = portOf(known)
  const listener = isLocal ? await listen(configured, preferredPort, state) : undefined
  try {
    const redirectUri = listener?.redirectUri ?? configured.href
    const registered = await identify(session, options, redirectUri)
    return await authorize(session, options, { state, redirectUri, listener, registered })
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
function checkSupport({ name: provider, server, context }: GrantSession): void {
  const { metadata } = server
  if (metadata.authorization_endpoint === undefined) {
    const remedy = 'Use clientCredentials(), or the grant that its operator names.'
    throw unsupported(provider, server, context, 'offers no login with a browser', remedy)
  }
  if (server.hasPkce) return
  const remedy =
    'MCP forbids to go on without PKCE. If you know that the server supports it, pass `metadata` that says so.'
  throw unsupported(provider, server, context, 'does not say that it supports PKCE (S256)', remedy)
}

/** Which client logs in: pre-registered, by its metadata document, or registered here and now. */
async function identify(
  session: GrantSession,
  options: AuthorizationCodeOptions,
  redirectUri: string,
): Promise<RegisteredClient> {
  const { context, server } = session
  const { metadata } = server
  const { clientId, clientMetadataUrl, clientName = 'MCP client' } = options
  const public_ = { clientSecret: undefined, method: undefined }
  if (clientId !== undefined) return { clientId, ...public_ }
  const takesDocuments = metadata['client_id_metadata_document_supported'] === true
  if (clientMetadataUrl !== undefined && takesDocuments) {
    return { clientId: clientMetadataUrl, ...public_ }
  }
  const stored = await storedRegistration(context, metadata.issuer, redirectUri)
  if (stored !== undefined) return stored
  if (metadata.registration_endpoint === undefined) {
    const remedy = 'Register a client there by hand, and pass its `clientId` with `issuer`.'
    throw unsupported(name, server, context, 'does not let clients register themselves', remedy)
  }
  const { allowPrivateNetwork = false } = options
  return register({ ...context, allowPrivateNetwork }, name, metadata, {
    clientName,
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
    scope: registeredScope(session),
  })
}

/** All that may be asked for one day: a client that registered for less could never step up. */
function registeredScope({ scope, server }: GrantSession): string | undefined {
  if (server.scopes === undefined) return undefined
  return scopeUnion(server.scopes.join(' '), scope ?? '')
}

interface Login {
  readonly state: string
  readonly redirectUri: string
  readonly listener: LoopbackListener | undefined
  readonly registered: RegisteredClient
}

async function authorize(
  session: GrantSession,
  options: AuthorizationCodeOptions,
  { state, redirectUri, listener, registered }: Login,
): Promise<GrantResult> {
  const { context, server } = session
  const connection = await session.connect(registered)
  const { configuration, proof } = connection
  const verifier = client.randomPKCECodeVerifier()
  const request = {
    ...session.parameters,
    ...server.authorizationParameters,
    ...options.authorizationParameters,
    redirect_uri: redirectUri,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }
  context.signal.throwIfAborted()
  const pushed = server.metadata.require_pushed_authorization_requests === true
  const url = pushed
    ? await client.buildAuthorizationUrlWithPAR(configuration, request, proof)
    : client.buildAuthorizationUrl(configuration, request)
  const callback = await askPerson(session, options, url, listener)
  checkState(session, callback, state)
  checkIssuer(session, callback)
  const { scope: _onlyOnce, ...tokenParameters } = session.parameters
  try {
    // Whether the code was used is unknown from here on, and it cannot be used twice.
    if (!callback.searchParams.has('error')) await context.commit()
    const checks = { pkceCodeVerifier: verifier, expectedState: state }
    const response = await client.authorizationCodeGrant(
      configuration,
      callback,
      checks,
      tokenParameters,
      proof,
    )
    return { response, connection }
  } catch (error) {
    if (isClientRefused(error)) {
      await forgetRegistration(context, server.metadata.issuer, registered.clientId)
    }
    throw error
  }
}

/** Shows the URL, and waits for the browser to come back; the listener is asked first. */
async function askPerson(
  { context }: GrantSession,
  { onAuthorizationUrl, loginTimeout = 240 }: AuthorizationCodeOptions,
  url: URL,
  listener: LoopbackListener | undefined,
): Promise<URL> {
  const ended = new AbortController()
  const expired = AbortSignal.timeout(loginTimeout * 1000)
  const signal = AbortSignal.any([context.signal, expired, ended.signal])
  signal.throwIfAborted()
  const shown = (async () => {
    const returned =
      onAuthorizationUrl === undefined
        ? await openBrowser(url)
        : await onAuthorizationUrl(url, { signal })
    if (typeof returned === 'string' || returned instanceof URL) {
      if (URL.canParse(returned)) return new URL(returned)
      throw new ConfigurationError(
        `${name}.onAuthorizationUrl`,
        `${name}.onAuthorizationUrl resolved to something that is not the URL that the browser returned to.`,
      )
    }
    if (listener !== undefined) return listener.callback
    throw new ConfigurationError(
      `${name}.onAuthorizationUrl`,
      `${name}.onAuthorizationUrl must resolve to the URL that the browser returned to, because redirectUri is not on this machine.`,
    )
  })()
  shown.catch(() => {})
  const arrivals = listener === undefined ? [shown] : [listener.callback, shown]
  try {
    return await abortable(Promise.race(arrivals), signal)
  } catch (error) {
    if (!expired.aborted || context.signal.aborted) throw error
    throw new LoginRequiredError(
      'no_credential',
      `${name}: nobody completed the login within ${loginTimeout} s.`,
      {
        resource: context.resource,
        provider: name,
        remedy: 'Call `login()` to try again.',
      },
    )
  } finally {
    ended.abort()
  }
}

/** The listener has compared the state; a URL that a person pasted has not been. */
function checkState({ context }: GrantSession, callback: URL, state: string): void {
  if (callback.searchParams.get('state') === state) return
  throw new CredentialError(
    'invalid_response',
    `${name}: the URL that was returned does not belong to this login.`,
    {
      resource: context.resource,
      provider: name,
      remedy: 'Copy the whole URL from the address bar after the login that was just started.',
    },
  )
}

/** openid-client checks this too, but cannot say what it means (RFC 9207, section 2.4). */
function checkIssuer({ context, server }: GrantSession, callback: URL): void {
  const { issuer, authorization_response_iss_parameter_supported: promised } = server.metadata
  const sender = callback.searchParams.get('iss')
  if (sender === null ? promised !== true : sender === issuer) return
  const { host } = new URL(issuer)
  throw new CredentialError(
    'invalid_response',
    `${name}: the answer to the login ${sender === null ? 'does not say that it comes' : 'does not come'} from ${host}, where the login began.`,
    {
      resource: context.resource,
      provider: name,
      remedy: 'Nothing of it was used. If it happens again, somebody may be tampering with logins.',
    },
  )
}

/** Opens the browser, and resolves when the program that does so has ended well. */
async function openBrowser(url: URL): Promise<void> {
  const { default: open } = await import('open')
  try {
    const opener = await open(url.href)
    const status = await new Promise((resolve) => opener.once('exit', resolve))
    if (status === 0) return
  } catch {
    // Reported below.
  }
  throw new LoginRequiredError('no_credential', `${name}: no browser could be opened.`, {
    provider: name,
    remedy: 'Pass `onAuthorizationUrl` to show the URL yourself, or use deviceCode().',
  })
}

function portOf(redirectUri: string | undefined): number | undefined {
  const port = redirectUri === undefined ? '' : new URL(redirectUri).port
  return port === '' ? undefined : Number(port)
}
