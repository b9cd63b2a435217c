/**
 * Login on another device.
 *
 * @module
 */
import type { TokenEndpointResponse } from 'openid-client'
import type { CredentialProvider } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { isLoopbackHost } from './address.ts'
import { unsupported } from './connection.ts'
import { checkEndpoint } from './endpoint.ts'
import { isPassing, retryAfterOf } from './error-mapping.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import type { Connection, PendingDeviceLogin } from './issuer-connection.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { checkOwnPage } from './own-endpoints.ts'
import { checkPolicy, originsOf, scopesOf } from './policy.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'
import { userTimeoutError, withUserTimeLimit } from './user-time-limit.ts'

type DeviceCodeOptions = Parameters<typeof deviceCode>[0]

const name = 'deviceCode'

/**
 * Logs a user in on another device, for hosts without a browser. Later renewals use the refresh
 * token, without the user.
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'mcp-credentials'
 * import { deviceCode } from 'mcp-credentials/oauth'
 *
 * const fetch = authorizedFetch(
 *   deviceCode({
 *     clientId: 'terminal-agent',
 *     onUserCode: ({ userCode, verificationUri }) =>
 *       console.log(`Open ${verificationUri} and enter ${userCode}`),
 *   }),
 *   { resource: 'https://mcp.example.com/mcp' },
 * )
 * await fetch.login()
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid. An acquisition throws `LoginRequiredError` when the
 * user refuses or the code expires, `DiscoveryError` when the server sends the user to another host that is
 * not known to belong to it.
 * @see RFC 8628
 * @group Logins of users
 */
export function deviceCode(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
    /** Shows the code and the address to the user. */
    readonly onUserCode: (login: {
      /** The code to enter. */
      readonly userCode: string
      /**
       * The page for entering it: on the host of the issuer, unless the options name the issuer (`issuer`,
       * `metadata`) or it is known to use another host (Google, Microsoft).
       */
      readonly verificationUri: URL
      /** The same URL with the code, for a link or a QR code, where the server returns it. */
      readonly verificationUriComplete: URL | undefined
      /** Seconds until the code expires. */
      readonly expiresIn: number
    }) => void | Promise<void>
  },
): CredentialProvider {
  checkOAuthOptions(name, options, ['onUserCode'])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  if (typeof options.onUserCode !== 'function') {
    throw new ConfigurationError(
      `${name}.onUserCode`,
      `${name}.onUserCode must be a function that shows the code to the user.`,
    )
  }
  return oauthProvider({
    name,
    options,
    interactive: true,
    refusedRemedy: refusedRemedies.login,
    offline: true,
    run: (session) => logIn(session, options),
  })
}

async function logIn(session: GrantSession, options: DeviceCodeOptions): Promise<GrantResult> {
  const { context, server } = session
  if (server.metadata.device_authorization_endpoint === undefined) {
    const remedy = 'Use authorizationCode(), where the user has a browser.'
    throw unsupported(name, server, context, 'does not offer login on another device', remedy)
  }
  const connection = await session.connect()
  const step = {
    type: 'authorization',
    grantType: 'urn:ietf:params:oauth:grant-type:device_code',
    issuer: server.issuer,
    origins: originsOf(server.metadata.device_authorization_endpoint),
    clientId: options.clientId,
    scopes: scopesOf(session.scope),
  } as const
  await checkPolicy(options.allow, context, step)
  const login = await connection.beginDeviceLogin({
    ...session.parameters,
    ...session.authentication,
  })
  const shownAt = verificationUris(session, options, login)
  const places = [shownAt.verificationUri, shownAt.verificationUriComplete]
  await checkPolicy(options.allow, context, {
    ...step,
    origins: originsOf(...places.map((place) => place?.href)),
  })
  await showCode(session, options, login, shownAt)
  const response = await withUserTimeLimit(
    session,
    login.shown.expires_in,
    userTimeoutError(session, login.shown.expires_in, 'enter the code'),
    (signal) => poll(session, connection, login, signal),
  )
  return { response, connection }
}

/** Returns the checked URLs of the page for entering the code. */
function verificationUris(
  { context: { resource }, server }: GrantSession,
  { allowPrivateNetwork = false }: DeviceCodeOptions,
  { shown: { verification_uri, verification_uri_complete: complete } }: PendingDeviceLogin,
) {
  const checked = (name: string, address: string) => {
    const page = checkEndpoint(name, address, { resource, allowPrivateNetwork })
    checkOwnPage(server, name, page, resource)
    return page
  }
  return {
    verificationUri: checked('verification_uri', verification_uri),
    verificationUriComplete:
      complete === undefined ? undefined : checked('verification_uri_complete', complete),
  }
}

async function showCode(
  { context }: GrantSession,
  { onUserCode }: DeviceCodeOptions,
  { shown: { user_code, expires_in } }: PendingDeviceLogin,
  places: ReturnType<typeof verificationUris>,
): Promise<void> {
  await onUserCode({
    userCode: checkUserCode(context, user_code),
    ...places,
    expiresIn: expires_in,
  })
}

/** Checks that a code can be shown and typed: other characters could control a terminal (RFC 8628, section 6.1). */
function checkUserCode({ resource }: GrantSession['context'], code: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/.test(code)) return code
  throw new CredentialError(
    'invalid_response',
    `${name}: the authorization server sent a user code that is too long or cannot be typed.`,
    { provider: name, resource, remedy: "It was not shown. Contact the server's operator." },
  )
}

/** Seconds between two polls where the server names none (RFC 8628, section 3.2). */
const defaultInterval = 5
/** The minimum seconds between two polls, even if a server requests less. */
const shortestInterval = 1

/** Seconds between two polls. A server on this machine may request fractions of a second, as in tests. */
function pollInterval({ context, server }: GrantSession, { shown }: PendingDeviceLogin): number {
  const { interval = defaultInterval } = shown
  const hosts = [context.resource.hostname, new URL(server.issuer).hostname]
  return hosts.every(isLoopbackHost) ? interval : Math.max(interval, shortestInterval)
}

/**
 * Polls the token endpoint until the user has decided; after a temporary failure half as often, and not
 * before the server's `Retry-After`.
 */
async function poll(
  session: GrantSession,
  connection: Connection,
  login: PendingDeviceLogin,
  signal: AbortSignal,
): Promise<TokenEndpointResponse> {
  const { scope: _asAuthorized, ...parameters } = session.parameters
  let interval = pollInterval(session, login)
  for (;;) {
    try {
      return await connection.pollDeviceLogin(login.authorization, interval, parameters, signal)
    } catch (error) {
      // The user may be entering the code: a temporary failure must not end the login (section 3.5).
      if (!isPassing(error) || signal.aborted) throw error
      interval = Math.max(interval * 2, retryAfterOf(error) ?? 0)
    }
  }
}
