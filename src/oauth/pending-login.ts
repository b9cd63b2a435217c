/**
 * A login whose two halves may run in different processes.
 *
 * @module
 */
import { randomPKCECodeVerifier, randomState } from 'openid-client'
import type { AcquireContext, CredentialProvider } from '../credential.ts'
import { DiscoveryError, resourceLabel } from '../errors.ts'
import { authorizationUrl, checkLoginSupport, finishAuthorization } from './authorization.ts'
import { bind, openAt } from './bound-values.ts'
import type { SecretMethod } from './client-auth.ts'
import { identifyClient } from './client-identity.ts'
import { type DpopSession, exportKeyPair, resolveDpop, startDpop } from './dpop.ts'
import { toOAuthError } from './error-mapping.ts'
import { credentialOf, type Grant, type GrantSession, openSession } from './grant.ts'
import type { PendingLogin } from './issuer-connection.ts'
import type { LoginClientOptions } from './login-client.ts'
import { bindOptions } from './options.ts'
import { checkOwnEndpoints } from './own-endpoints.ts'
import { oauthProvider } from './provider.ts'
import type { RegisteredClient } from './registration.ts'
import { type LocatedServer, locateServer } from './server.ts'

/** A client whose users come back to a URL of the application. */
export interface ReturningLoginOptions extends LoginClientOptions {
  /**
   * Where the browser returns to: a page of this application, https, or http on this machine. It has no
   * query of its own.
   */
  readonly redirectUri: string
}

/** What is known between the two halves, as JSON. It holds secrets, and nobody but this application may read it. */
export interface PendingLoginRecord {
  /** The authorization server where the login began: all the rest belongs to it. */
  readonly issuer: string
  readonly state: string
  readonly codeVerifier: string
  readonly redirectUri: string
  /** The client, with the secret of one that registered itself. */
  readonly clientId: string
  readonly clientSecret?: string
  readonly clientMethod?: SecretMethod
  /** The server promised that its response names it, or the application insists. */
  readonly requireIss: boolean
  /** The value of the `resource` parameter. */
  readonly resource?: string
  /** The scope that was asked for. */
  readonly scope?: string
  /** The key that a pushed authorization request has bound the code to (RFC 9449, section 10). */
  readonly dpopKey?: JsonWebKey
}

/**
 * Finds the server and the client, and makes the URL that the user opens.
 *
 * @throws `DiscoveryError` when the server cannot be used safely; `CredentialError` when the client cannot
 * be registered or the request cannot be pushed.
 */
export async function beginPendingLogin(
  name: string,
  options: ReturningLoginOptions,
  context: AcquireContext,
): Promise<{ readonly url: URL; readonly record: PendingLoginRecord }> {
  let server: LocatedServer | undefined
  try {
    server = await locate(options, context)
    const dpopOptions = resolveDpop(name, options.dpop)
    // A key for each login: users must not be recognised by a key that they share.
    const dpop = dpopOptions && startDpop(dpopOptions, undefined)
    const session = openSession(loginGrant(name, options), context, server, dpop, undefined)
    const { requireIss = false, redirectUri, authorizationParameters } = options
    checkLoginSupport(session, requireIss)
    const registered = await identifyClient(session, options, redirectUri)
    const connection = await session.connect(registered)
    const record = await recordOf(session, registered, { requireIss, redirectUri })
    const login = pendingLogin(record)
    const url = await authorizationUrl(session, connection, login, authorizationParameters)
    return { url, record }
  } catch (thrown) {
    throw loginError(name, context, server, thrown)
  }
}

/**
 * Makes a provider whose one acquisition redeems the code of a callback. It restores and revokes as the
 * other providers for users do.
 *
 * @param callback - The redirect URI with the query that the browser brought.
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
    async acquire(context) {
      let server: LocatedServer | undefined
      try {
        server = await locateAgain(options, context, record)
        const dpop = dpopOf(name, options, record)
        const session = openSession(loginGrant(name, options), context, server, dpop, undefined)
        const connection = await session.connect(clientOf(record))
        const login = pendingLogin(record)
        const back = { callback, login, requireIss }
        const result = await finishAuthorization(session, connection, back)
        return await credentialOf(session, result, record.scope)
      } catch (thrown) {
        throw loginError(name, context, server, thrown)
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

/** The server must still be the one where the login began: the code belongs to no other. */
async function locateAgain(
  options: ReturningLoginOptions,
  context: AcquireContext,
  { issuer, resource }: PendingLoginRecord,
): Promise<LocatedServer> {
  const server = await locate(options, context, issuer)
  if (server.issuer === issuer) return { ...server, resource }
  throw new DiscoveryError(
    `${resourceLabel(context.resource)} names another authorization server than when this login began, so its code was not sent.`,
    { resource: context.resource, remedy: 'Begin the login again.' },
  )
}

/** Takes the values out that the second half needs; {@link pendingLogin} binds them to the same server again. */
async function recordOf(
  { server, scope, dpop }: GrantSession,
  { clientId, clientSecret, method }: RegisteredClient,
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
    // Kept, because a server that no longer promises it could receive the code of another.
    requireIss: requireIss || metadata.authorization_response_iss_parameter_supported === true,
    ...(resource === undefined ? {} : { resource }),
    ...(scope === undefined ? {} : { scope }),
    ...(dpop === undefined ? {} : { dpopKey: await exportKeyPair(await dpop.keyPair()) }),
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

function clientOf({
  issuer,
  clientId,
  clientSecret,
  clientMethod,
}: PendingLoginRecord): RegisteredClient {
  return {
    clientId,
    clientSecret:
      clientSecret === undefined ? undefined : bind('client secret', clientSecret, issuer),
    method: clientMethod,
  }
}

function dpopOf(
  name: string,
  options: ReturningLoginOptions,
  { dpopKey }: PendingLoginRecord,
): DpopSession | undefined {
  // The options may have changed since; the code is bound to the key all the same.
  const resolved = resolveDpop(name, options.dpop) ?? resolveDpop(name, dpopKey !== undefined)
  return resolved && startDpop(resolved, dpopKey)
}

function loginGrant(name: string, options: ReturningLoginOptions): Grant {
  return {
    name,
    options: bindOptions(options),
    interactive: true,
    offline: true,
    run: () => Promise.reject(new Error('A login is finished by its callback alone.')),
  }
}

function loginError(
  provider: string,
  { resource, now }: AcquireContext,
  server: LocatedServer | undefined,
  thrown: unknown,
): unknown {
  const where = { provider, resource, issuer: server?.issuer, interactive: true }
  return toOAuthError(thrown, where, now())
}
