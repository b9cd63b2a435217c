/**
 * The two halves of a login with a browser: the request that the user takes to the authorization server,
 * and the code that they bring back. One process can run both, or one each.
 *
 * @module
 */
import { bind } from './bound.ts'
import { checkCallback } from './browser-login.ts'
import { unsupported } from './connection.ts'
import { isClientRefused } from './error-mapping.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import type { Connection, PendingLogin } from './issuer-connection.ts'
import { checkOwnEndpoint } from './own-endpoints.ts'
import { forgetRegistration } from './registration.ts'

/**
 * Checks that the server offers logins with a browser, before anything is sent or opened.
 *
 * @param requireIss - The response must name its issuer although none was promised.
 * @throws `CredentialError` with the code `unsupported_server` when it does not; `DiscoveryError` when
 * nothing shows that its authorization endpoint belongs to it.
 */
export function checkLoginSupport(
  { name: provider, server, context }: GrantSession,
  requireIss: boolean,
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

/**
 * Makes the URL that the user opens; the request itself is pushed where the server wants that (RFC 9126).
 *
 * @param further - The application's own parameters.
 */
export function authorizationUrl(
  { server, parameters, context }: GrantSession,
  connection: Connection,
  login: PendingLogin,
  further: Readonly<Record<string, string>> | undefined,
): Promise<URL> {
  const pushed = server.metadata.require_pushed_authorization_requests === true
  context.signal.throwIfAborted()
  return connection.authorizationUrl(login, pushed, {
    ...parameters,
    ...server.authorizationParameters,
    ...further,
  })
}

/**
 * Redeems the code of a callback, after a check that it belongs to this login.
 *
 * @throws `CredentialError` with the code `invalid_response` when it belongs to another login or comes from
 * another server.
 */
export async function finishAuthorization(
  session: GrantSession,
  connection: Connection,
  {
    callback,
    login,
    requireIss,
  }: {
    /** The URL that the browser returned to. */
    readonly callback: URL
    readonly login: PendingLogin
    /** The response must name its issuer although none was promised. */
    readonly requireIss: boolean
  },
): Promise<GrantResult> {
  checkCallback(session, callback, login, requireIss)
  const { context, parameters } = session
  const { scope: _asAuthorized, ...rest } = parameters
  const { issuer, client: registered } = connection
  try {
    // A code cannot be used twice, so from here on a repetition needs a new login.
    if (!callback.searchParams.has('error')) await context.commit()
    const returned = bind('authorization code', callback, issuer)
    const response = await connection.redeemCode(returned, login, rest)
    return { response, connection }
  } catch (error) {
    if (isClientRefused(error)) await forgetRegistration(context, issuer, registered.clientId)
    throw error
  }
}
