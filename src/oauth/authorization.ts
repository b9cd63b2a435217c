/**
 * The two steps of a login with a browser: the authorization request, and its callback with the code. One
 * process can run both, or two processes one each.
 *
 * @module
 */
import { LoginRequiredError } from '../errors.ts'
import { withDemand } from './authentication-demands.ts'
import { bind } from './bound.ts'
import { checkCallback } from './browser-login.ts'
import type { LoginClient } from './client-identity.ts'
import { unsupported } from './connection.ts'
import { endpointErrorOf } from './error-mapping.ts'
import type { GrantResult, GrantSession } from './grant.ts'
import type { Connection, PendingLogin } from './issuer-connection.ts'
import type { LoginClientOptions } from './login-client.ts'
import { checkOwnEndpoint } from './own-endpoints.ts'
import { checkPolicy, type OAuthPolicy, originsOf, scopesOf } from './policy.ts'
import { confirmRegistration, dropRegistration, forgetRegistration } from './registration.ts'

/**
 * Checks that the server offers logins with a browser, before anything is sent or opened.
 *
 * @param requireIss - Whether the response must name its issuer even if the server did not announce it.
 * @throws `CredentialError` with the code `unsupported_server` when it does not; `DiscoveryError` when its
 * authorization endpoint is not known to belong to it.
 */
export function checkLoginSupport(
  { name: provider, server, context }: GrantSession,
  requireIss: boolean,
): void {
  const { metadata } = server
  const { authorization_endpoint } = metadata
  if (authorization_endpoint === undefined) {
    const remedy = 'Use clientCredentials(), or the grant that its operator names.'
    throw unsupported(provider, server, context, 'does not offer login with a browser', remedy)
  }
  const namesItself = requireIss || metadata.authorization_response_iss_parameter_supported === true
  if (!namesItself) checkOwnEndpoint(server, 'authorization_endpoint', context.resource)
  if (server.hasPkce) return
  const remedy =
    'MCP requires PKCE. If you know that the server supports it, pass `metadata` with `code_challenge_methods_supported`.'
  throw unsupported(provider, server, context, 'does not announce support of PKCE (S256)', remedy)
}

/** A login that begins. */
export interface BeginningLogin {
  readonly identity: LoginClient
  readonly login: PendingLogin
  readonly options: Pick<LoginClientOptions, 'authorizationParameters' | 'allow'>
}

/**
 * Makes the URL that the user opens. The request is pushed where the server requires that (RFC 9126), which
 * may already refuse the client.
 *
 * @throws `CredentialError` with the code `refused_by_policy` when the application does not allow it.
 */
export async function authorizationUrl(
  session: GrantSession,
  connection: Connection,
  { identity, login, options: { authorizationParameters, allow } }: BeginningLogin,
): Promise<URL> {
  const { server, parameters, context, authentication } = session
  const pushed = server.metadata.require_pushed_authorization_requests === true
  await allowLogin(session, allow, identity.client.clientId)
  context.signal.throwIfAborted()
  const request = {
    ...parameters,
    ...server.authorizationParameters,
    ...withDemand(authentication, authorizationParameters),
  }
  try {
    return await connection.authorizationUrl(login, pushed, request)
  } catch (error) {
    if (!isDisowned(error) || !identity.client.isDynamic) throw error
    throw unknownClient(session, 'invalid_client', await dropStored(session, identity))
  }
}

/** A login whose callback has arrived. */
export interface ReturningLogin {
  /** The callback URL. */
  readonly callback: URL
  readonly identity: LoginClient
  readonly login: PendingLogin
  /** Whether the response must name its issuer even if the server did not announce it. */
  readonly requireIss: boolean
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
  { callback, identity, login, requireIss }: ReturningLogin,
): Promise<GrantResult> {
  checkCallback(session, callback, login, requireIss)
  await checkClientIsKnown(session, identity, callback)
  const { context, parameters } = session
  const { scope: _asAuthorized, ...rest } = parameters
  const { issuer, client: registered } = connection
  try {
    // A code cannot be used twice, so from here on a retry needs a new login. An empty error is ignored.
    const isError = Boolean(callback.searchParams.get('error'))
    if (!isError) await context.commit()
    const returned = bind('authorization code', callback, issuer)
    const response = await connection.redeemCode(returned, login, rest)
    await confirmRegistration(context, issuer, registered.clientId).catch(() => {})
    return { response, connection }
  } catch (error) {
    if (isDisowned(error)) await forgetRegistration(context, issuer, registered.clientId)
    throw error
  }
}

/**
 * Whether the server itself reports the client as unknown. A status alone may come from a firewall, which a
 * user can trigger, and all users share the registration.
 */
function isDisowned(error: unknown): boolean {
  return endpointErrorOf(error)?.details.code === 'invalid_client'
}

/**
 * Drops the registration with which a login has failed. Returns the remedy; `undefined` when the registration
 * stays.
 */
export async function dropStored(
  { context, server }: GrantSession,
  { client: { clientId }, isStored }: LoginClient,
): Promise<string | undefined> {
  if (!isStored) return undefined
  const isDropped = await dropRegistration(context, server.issuer, clientId)
  if (!isDropped) return undefined
  return 'Log in again: the client is then registered again, in case the server no longer knows it.'
}

/** Refuses a response which says that the client is not registered. */
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

function unknownClient(
  { name: provider, context, server }: GrantSession,
  code: string,
  remedy = 'Register a client by hand, and pass its `clientId` with `issuer`; or delete this registration with `logout({ registration: true })`, and log in again.',
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
