/**
 * A login whose two steps may run in different processes.
 *
 * @module
 */
import { randomPKCECodeVerifier, randomState } from 'openid-client'
import type { AcquireContext, CredentialProvider } from '../credential.ts'
import { DiscoveryError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { auditOf, reportScopes } from './audit.ts'
import { authorizationUrl, checkLoginSupport, finishAuthorization } from './authorization.ts'
import { bind, openAt } from './bound-values.ts'
import type { AuthenticationMethod } from './client-auth.ts'
import { identifyClient, type LoginClient } from './client-identity.ts'
import { type DpopSession, DpopSessions } from './dpop.ts'
import { checkDpopDemand, demandedAlgorithms } from './dpop-demand.ts'
import { toOAuthError } from './error-mapping.ts'
import { credentialOf, type Grant, type GrantSession, openSession } from './grant.ts'
import type { PendingLogin } from './issuer-connection.ts'
import type { LoginClientOptions } from './login-client.ts'
import { bindOptions } from './options.ts'
import { checkOwnEndpoints } from './own-endpoints.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'
import { type LocatedServer, locateServer } from './server.ts'
import { OAuthCredential } from './token.ts'

/** The options of a client whose redirect URI is a page of the application. */
export interface ReturningLoginOptions extends LoginClientOptions {
  /**
   * The redirect URI: a page of this application, https, or http on this machine, without a query.
   */
  readonly redirectUri: string
}

/** The state between the two steps, as JSON. It contains secrets, and only this application may read it. */
export interface PendingLoginRecord {
  /** The authorization server where the login began; all other members belong to it. */
  readonly issuer: string
  readonly state: string
  readonly codeVerifier: string
  readonly redirectUri: string
  /** The client, with the secret of one that registered itself. */
  readonly clientId: string
  readonly clientSecret?: string
  readonly clientMethod?: AuthenticationMethod
  /** Whether the client registered itself. */
  readonly isDynamic: boolean
  /** Whether the response must name its issuer, because the server announced it or the application requires it. */
  readonly requireIss: boolean
  /** The value of the `resource` parameter. */
  readonly resource?: string
  /** The requested scope. */
  readonly scope?: string
  /** The key to which a pushed authorization request has bound the code (RFC 9449, section 10). */
  readonly dpopKey?: JsonWebKey
}

/**
 * Finds the server and the client, and makes the URL that the user opens.
 *
 * @throws `DiscoveryError` when the server's metadata cannot be used; `CredentialError` when the client cannot
 * be registered or the request cannot be pushed.
 */
export async function beginPendingLogin(
  name: string,
  options: ReturningLoginOptions,
  given: AcquireContext,
): Promise<{ readonly url: URL; readonly record: PendingLoginRecord }> {
  const audit = auditOf(given, name, options.clientId)
  const { context } = audit
  let server: LocatedServer | undefined
  try {
    server = await locate(options, context)
    // A key for each login: a shared key would link users to each other.
    const sessions = new DpopSessions(name, options.dpop)
    const dpop = sessions.of(context.resource, undefined, demandedAlgorithms(context, server))
    const session = openSession(loginGrant(name, options), context, server, dpop, undefined)
    checkDpopDemand(session)
    const { requireIss = false, redirectUri } = options
    checkLoginSupport(session, requireIss)
    const identity = await identifyClient(session, options, redirectUri)
    const connection = await session.connect(identity.client)
    const record = await recordOf(session, identity, { requireIss, redirectUri })
    const login = pendingLogin(record)
    const url = await authorizationUrl(session, connection, { identity, login, options })
    audit.loginStarted(session, identity.client.clientId)
    return { url, record }
  } catch (thrown) {
    const error = loginError(name, context, server, thrown)
    if (!context.signal.aborted) audit.loginRefused(server?.issuer, error)
    throw error
  }
}

/**
 * Makes a provider whose only acquisition redeems the code of a callback. It restores and revokes like the
 * other login providers.
 *
 * @param callback - The redirect URI with the query of the callback.
 */
export function finishingProvider(
  name: string,
  options: ReturningLoginOptions,
  record: PendingLoginRecord,
  callback: URL,
): CredentialProvider {
  const { requireIss } = record
  return {
    ...oauthProvider({ ...loginGrant(name, options), options }),
    discovers: false,
    async acquire(given) {
      const audit = auditOf(given, name, record.clientId)
      const { context } = audit
      audit.loginResumed(record.issuer)
      let server: LocatedServer | undefined
      try {
        server = await locateAgain(options, context, record)
        const dpop = dpopOf(name, options, context, record)
        const session = openSession(loginGrant(name, options), context, server, dpop, undefined)
        const identity = identityOf(record)
        const connection = await session.connect(identity.client)
        const login = pendingLogin(record)
        const back = { callback, identity, login, requireIss }
        const result = await finishAuthorization(session, connection, back)
        const credential = await credentialOf(session, result, record.scope)
        reportScopes({ ...session, scope: record.scope }, credential)
        audit.ended(OAuthCredential.tokensOf(credential))
        return credential
      } catch (thrown) {
        const error = loginError(name, context, server, thrown)
        audit.ended(undefined, error)
        throw error
      }
    },
  }
}

async function locate(
  options: ReturningLoginOptions,
  context: AcquireContext,
  before?: string,
): Promise<LocatedServer> {
  const server = await locateServer(options, context, undefined, before)
  checkOwnEndpoints(server, context.resource)
  return server
}

/** Checks that the server is still the one where the login began: the code belongs to no other. */
async function locateAgain(
  options: ReturningLoginOptions,
  context: AcquireContext,
  { issuer, resource }: PendingLoginRecord,
): Promise<LocatedServer> {
  const server = await locate(options, context, issuer)
  if (server.issuer === issuer) return { ...server, resource }
  throw new DiscoveryError(
    `${resourceLabel(context.resource)} now names a different authorization server from the one where this login began, so its code was not sent.`,
    { resource: context.resource, remedy: 'Begin the login again.' },
  )
}

/** Reads the values that the second step needs; {@link pendingLogin} binds them to the same server again. */
async function recordOf(
  { server, scope, dpop }: GrantSession,
  { client: { clientId, clientSecret, method, isDynamic } }: LoginClient,
  { redirectUri, requireIss }: { readonly redirectUri: string; readonly requireIss: boolean },
): Promise<PendingLoginRecord> {
  const { issuer, resource, metadata } = server
  const secret = openAt(clientSecret, issuer)
  return {
    issuer,
    state: randomState(),
    codeVerifier: randomPKCECodeVerifier(),
    redirectUri,
    clientId,
    ...(secret === undefined ? {} : { clientSecret: secret }),
    ...(method === undefined ? {} : { clientMethod: method }),
    isDynamic,
    // Kept, because a server that no longer announces it could receive the code of another.
    requireIss: requireIss || metadata.authorization_response_iss_parameter_supported === true,
    ...(resource === undefined ? {} : { resource }),
    ...(scope === undefined ? {} : { scope }),
    ...(dpop === undefined ? {} : { dpopKey: (await dpop.key()).stored }),
  }
}

function pendingLogin({
  issuer,
  state,
  codeVerifier,
  redirectUri,
}: PendingLoginRecord): PendingLogin {
  return {
    state: bind('state', state, issuer),
    verifier: bind('code verifier', codeVerifier, issuer),
    redirectUri,
  }
}

function identityOf({
  issuer,
  clientId,
  clientSecret,
  clientMethod,
  isDynamic,
}: PendingLoginRecord): LoginClient {
  const secret = clientSecret && bind('client secret', clientSecret, issuer)
  const client = { clientId, clientSecret: secret || undefined, method: clientMethod, isDynamic }
  // All users share a registration, and any of them can forge a callback: it must not end the registration.
  return { client, isStored: false }
}

function dpopOf(
  name: string,
  options: ReturningLoginOptions,
  { resource }: AcquireContext,
  { dpopKey }: PendingLoginRecord,
): DpopSession | undefined {
  const sessions = new DpopSessions(name, options.dpop)
  // The code stays bound to the key even if the options have changed since.
  return dpopKey === undefined
    ? sessions.of(resource, undefined, undefined)
    : sessions.restore({ tokenType: 'dpop', dpopKey })
}

function loginGrant(name: string, options: ReturningLoginOptions): Grant {
  return {
    name,
    options: bindOptions(options),
    interactive: true,
    refusedRemedy: refusedRemedies.loginElsewhere,
    offline: true,
    run: () => Promise.reject(new Error('Only its callback can finish a login.')),
  }
}

function loginError(
  provider: string,
  { resource }: AcquireContext,
  server: LocatedServer | undefined,
  thrown: unknown,
): unknown {
  return toOAuthError(thrown, {
    provider,
    resource,
    issuer: server?.issuer,
    interactive: true,
    refusedRemedy: refusedRemedies.loginElsewhere,
  })
}
