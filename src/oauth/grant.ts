/**
 * Grants, and the sessions in which they are run at an authorization server.
 *
 * @module
 */
import type { TokenEndpointResponse } from 'openid-client'
import type { AcquireContext } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import type { Bound } from './bound.ts'
import { connect } from './connection.ts'
import type { DpopSession } from './dpop.ts'
import type { Connection } from './issuer-connection.ts'
import type { BoundOAuthOptions } from './options.ts'
import { type RegisteredClient, registrationOf } from './registration.ts'
import { chooseScope } from './scopes.ts'
import type { LocatedServer } from './server.ts'
import { OAuthCredential, refreshOnly, scopeFor, type TokenSet, tokenSetOf } from './token.ts'

/** One grant of this folder. */
export interface Grant {
  /** The provider's name. */
  readonly name: string
  readonly options: BoundOAuthOptions
  /** Whether it is the login of a user: when the grant is refused, the user must log in again. */
  readonly interactive: boolean
  /** The remedy when the server refuses the grant, from `refusedRemedies`: not every provider can log a user in. */
  readonly refusedRemedy: string
  /** Whether it runs without the user while it is not refused. Default: the opposite of `interactive`. */
  readonly unattended?: boolean
  /** Whether the grant can replace a refresh token that was refused. Default `true`. */
  readonly replaces?: boolean
  /** Whether it can request further scopes. Default `true`. */
  readonly widens?: boolean
  /** Whether a refresh token is requested (`offline_access`). */
  readonly offline: boolean
  /** Obtains tokens with this grant. */
  run(session: GrantSession): Promise<GrantResult>
}

/** The token response of a grant, and its connection. */
export interface GrantResult {
  readonly response: TokenEndpointResponse
  readonly connection: Connection
  /** The refresh token that was used; kept unless the server returns a new one. */
  readonly refreshToken?: Bound
}

/** One use of a grant: for one acquisition, at one authorization server. */
export interface GrantSession {
  readonly name: string
  /** See {@link Grant.refusedRemedy}. */
  readonly refusedRemedy: string
  readonly context: AcquireContext
  readonly server: LocatedServer
  /** `resource`, `scope` and the application's own parameters, for the token request. */
  readonly parameters: Readonly<Record<string, string>>
  readonly scope: string | undefined
  readonly dpop: DpopSession | undefined
  /** The MCP server's requirements for a login, as parameters of the authorization request (RFC 9470). */
  readonly authentication: Readonly<Record<string, string>>
  /** Connects as a client; by default as the one of the options. */
  connect(registered?: RegisteredClient): Promise<Connection>
  /** The connections that were opened, in order. */
  readonly connections: readonly Connection[]
}

/**
 * Starts a session; nothing is sent yet.
 *
 * @param lastIssuer - The last authorization server, when its tokens no longer exist.
 */
export function openSession(
  { name, options, offline, refusedRemedy }: Grant,
  context: AcquireContext,
  server: LocatedServer,
  dpop: DpopSession | undefined,
  lastIssuer: string | undefined,
): GrantSession {
  const previous = OAuthCredential.tokensOf(context.previous)
  const connections: Connection[] = []
  // One server must not learn what another granted: only the scopes of the challenge are requested.
  const before = previous?.issuer ?? lastIssuer
  const hasMoved = before !== undefined && before !== server.issuer
  const scope = chooseScope({
    wanted: hasMoved ? undefined : context.scope,
    chosen: options.scope,
    challenges: context.challenges,
    before: scopeFor(previous, server.issuer),
    located: server.challenges,
    resourceScopes: server.scopes,
    issuerScopes: server.metadata.scopes_supported,
    offline,
  })
  return {
    name,
    refusedRemedy,
    context,
    server,
    scope,
    dpop,
    authentication: {},
    parameters: {
      ...(server.resource === undefined ? {} : { [server.resourceAs]: server.resource }),
      ...options.parameters,
      ...(scope === undefined ? {} : { scope }),
    },
    connections,
    async connect(registered = preRegistered(options)) {
      const connection = await connect({
        provider: name,
        options,
        context,
        server,
        registered,
        dpop,
        scope,
      })
      connections.push(connection)
      return connection
    },
  }
}

function preRegistered({ clientId = '' }: BoundOAuthOptions): RegisteredClient {
  return { clientId, clientSecret: undefined, method: undefined, isDynamic: false }
}

/** Returns the client that tokens were issued to, with the secret of its registration. */
export async function clientOf(
  { client, issuer }: TokenSet,
  context: AcquireContext,
): Promise<RegisteredClient> {
  if (client.clientSecret !== undefined) return client
  const registered = await registrationOf(context, issuer, client.clientId)
  return registered ?? client
}

/**
 * Makes a credential from the result of a grant.
 *
 * @param scope - The scope that was requested.
 * @throws `CredentialError` with the code `invalid_response` when the tokens cannot be used.
 */
export async function credentialOf(
  { name, context, dpop }: GrantSession,
  { response, connection, refreshToken }: GrantResult,
  scope: string | undefined,
): Promise<OAuthCredential> {
  const { issuer, client } = connection
  const origin = {
    provider: name,
    context,
    issuer,
    client,
    dpop,
    scope,
    refreshToken,
    // The login before the token request can take minutes.
    sentAt: connection.sentAt ?? context.now(),
  }
  return new OAuthCredential(name, await tokenSetOf(response, origin), dpop)
}

/**
 * Keeps the refresh token of an otherwise invalid response, because the server has replaced the old one. It
 * belongs to the server and the client of its connection, not to those of the previous tokens.
 */
export async function recoverRefreshToken(
  { name, context, dpop, connections }: GrantSession,
  previous: TokenSet | undefined,
): Promise<void> {
  const connection = connections.findLast(({ lastRefreshToken }) => lastRefreshToken !== undefined)
  const refreshToken = connection?.lastRefreshToken
  if (connection === undefined || refreshToken === undefined) return
  if (previous?.refreshToken?.equals(refreshToken) === true) return
  const { issuer, client } = connection
  const isSuccessor = previous?.issuer === issuer && previous.client.clientId === client.clientId
  const tokens = isSuccessor
    ? { ...previous, refreshToken }
    : refreshOnly({
        issuer,
        client,
        refreshToken,
        obtainedAt: context.now(),
        dpopKey: dpop === undefined ? undefined : (await dpop.key()).stored,
      })
  context.salvage(new OAuthCredential(name, tokens, dpop))
}

/** Makes the error for an acquisition that requires user interaction when none is allowed. */
export function loginRequired(
  { name, context, scope, refusedRemedy: remedy }: GrantSession,
  previous: TokenSet | undefined,
): LoginRequiredError {
  const where = { resource: context.resource, provider: name, remedy }
  if (context.reason === 'insufficient_scope') {
    const message = `${name}: the server requires further scopes, which need a login.`
    return new LoginRequiredError('step_up', message, { ...where, scope })
  }
  const reason = previous === undefined ? 'no_credential' : 'grant_rejected'
  return new LoginRequiredError(reason, `${name}: the renewal requires user interaction.`, where)
}
