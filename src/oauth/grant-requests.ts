/**
 * Requests tokens from an authorization server: by a refresh where possible, otherwise by the grant.
 *
 * Loaded with the first acquisition: a credential that is restored from a store does not need it.
 *
 * @module
 */
import type { AcquireContext, Credential, CredentialProvider } from '../credential.ts'
import { DiscoveryError, isCredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { type Audit, auditOf, auditRevocation, reportIssuer, reportScopes } from './audit.ts'
import { AuthenticationDemands } from './authentication-demands.ts'
import type { DpopSessions } from './dpop.ts'
import { checkDpopDemand, demandedAlgorithms } from './dpop-demand.ts'
import { toOAuthError } from './error-mapping.ts'
import {
  credentialOf,
  type Grant,
  type GrantSession,
  loginRequired,
  openSession,
  recoverRefreshToken,
} from './grant.ts'
import { IssuerChanges } from './issuer-changes.ts'
import { checkPolicy, scopesOf } from './policy.ts'
import { canRefresh, refresh } from './refresh-grant.ts'
import { forgetRegistrations } from './registration-request.ts'
import { revokeTokens } from './revocation.ts'
import { type LocatedServer, locateIssuer, ServerLocator } from './server.ts'
import { OAuthCredential, scopeFor, type TokenSet } from './token.ts'

/** The part of a provider that sends requests. */
export type GrantRequests = Required<Pick<CredentialProvider, 'acquire' | 'revoke' | 'forget'>>

/** Makes the part of a grant's provider that sends requests. */
export function grantRequests(grant: Grant, dpopSessions: DpopSessions): GrantRequests {
  const { options } = grant
  const changes = new IssuerChanges()
  const runner: GrantRunner = {
    grant,
    locator: new ServerLocator(options),
    changes,
    demands: new AuthenticationDemands(),
    open(context, server) {
      const held = OAuthCredential.dpopOf(context.previous)
      const dpop = dpopSessions.of(context.resource, held, demandedAlgorithms(context, server))
      return openSession(grant, context, server, dpop, changes.last(context))
    },
  }
  return {
    acquire: (context) => acquireTokens(runner, context),
    revoke: (credential, context) => revokeLogin(runner, credential, context),
    async forget(context) {
      const tokens = OAuthCredential.tokensOf(context.previous)
      const server = await runner.locator.locate(context, tokens?.issuer).catch(() => undefined)
      return forgetRegistrations(context, options, server, tokens?.issuer)
    },
  }
}

/** A grant with the state of one provider. */
interface GrantRunner {
  readonly grant: Grant
  readonly locator: ServerLocator
  readonly changes: IssuerChanges
  readonly demands: AuthenticationDemands
  open(context: AcquireContext, server: LocatedServer): GrantSession
}

async function acquireTokens(
  { grant, locator, changes, demands, open }: GrantRunner,
  given: AcquireContext,
): Promise<Credential> {
  const { name, options, interactive, refusedRemedy } = grant
  const audit = auditOf(given, name, options.clientId)
  const { context } = audit
  const previous = OAuthCredential.tokensOf(context.previous)
  let server: LocatedServer | undefined
  try {
    server = await locator.locate(context, previous?.issuer)
    reportIssuer(context, server.issuer, previous)
    const logins = { changes, demands, audit }
    const credential = await obtain(grant, open(context, server), previous, logins)
    audit.ended(OAuthCredential.tokensOf(credential))
    return credential
  } catch (thrown) {
    const { resource } = context
    const where = { provider: name, resource, issuer: server?.issuer, interactive, refusedRemedy }
    const error = toOAuthError(thrown, where)
    audit.ended(undefined, error)
    throw server?.fromFallback === true ? fallbackFailed(error, name, resource) : error
  }
}

async function revokeLogin(
  { grant, locator, open }: GrantRunner,
  credential: Credential,
  given: AcquireContext,
): Promise<boolean> {
  const { name, options, interactive, refusedRemedy } = grant
  const tokens = OAuthCredential.tokensOf(credential)
  if (tokens === undefined) return false
  const { context } = auditOf(given, name, options.clientId)
  const { resource } = context
  const { issuer } = tokens
  const where = { provider: name, resource, issuer, interactive, refusedRemedy }
  await auditRevocation(context, tokens, async () => {
    try {
      // Tokens are revoked by their issuer, even if the MCP server has moved or does not respond.
      const located = await locator.locate(context).catch(() => undefined)
      const isIssuer = located?.issuer === issuer
      const server = isIssuer ? located : await locateIssuer(options, context, issuer)
      await revokeTokens(open(context, server), tokens)
    } catch (thrown) {
      throw toOAuthError(thrown, where)
    }
  })
  return true
}

/** The limits of the logins of one provider. */
interface Logins {
  readonly changes: IssuerChanges
  readonly demands: AuthenticationDemands
  readonly audit: Audit
}

/** Refreshes the previous tokens where that is possible, otherwise runs the grant. */
async function obtain(
  grant: Grant,
  session: GrantSession,
  previous: TokenSet | undefined,
  logins: Logins,
): Promise<Credential> {
  const { context, server } = session
  try {
    const credential = await refreshOrRun(grant, session, previous, logins)
    logins.changes.note(context, server.issuer)
    return credential
  } catch (error) {
    await recoverRefreshToken(session, previous)
    throw error
  }
}

async function refreshOrRun(
  grant: Grant,
  session: GrantSession,
  previous: TokenSet | undefined,
  { changes, demands, audit }: Logins,
): Promise<Credential> {
  const { context, server } = session
  checkDpopDemand(session)
  const { unattended = !grant.interactive } = grant
  const mayRun = unattended || context.interactive
  const isStepUp = context.reason === 'insufficient_scope'
  // A refresh cannot widen the scope (RFC 6749, section 6).
  // Nor can it make a login stronger. A grant that cannot log in leaves the demand to its caller.
  const canLogIn = grant.interactive && grant.widens !== false && context.interactive
  const demand = canLogIn ? demands.of(context) : undefined
  if (canRefresh(previous, server, grant.options) && !isStepUp && demand === undefined) {
    const result = await refresh(session, previous, grant.replaces !== false && mayRun)
    if (result !== undefined) {
      const before = scopeFor(previous, server.issuer)
      const renewed = await credentialOf(session, result, before)
      reportScopes(session, renewed, { before })
      return renewed
    }
  }
  if (isStepUp ? grant.widens === false : !mayRun) throw loginRequired(session, previous)
  if (isStepUp) await allowStepUp(grant, session, previous)
  if (grant.interactive) changes.beginLogin(context, server.issuer, previous?.issuer)
  if (!unattended) {
    context.announceLogin?.()
    audit.loginStarted(session)
  }
  if (demand === undefined) {
    const credential = await credentialOf(session, await grant.run(session), session.scope)
    reportScopes(session, credential)
    return credential
  }
  demands.begin(context)
  const login = { ...session, authentication: demand.parameters }
  const credential = await credentialOf(session, await grant.run(login), session.scope)
  demands.met(demand)
  reportScopes(session, credential)
  return credential
}

function allowStepUp(
  { options }: Grant,
  { context, server, scope }: GrantSession,
  previous: TokenSet | undefined,
): Promise<void> {
  return checkPolicy(options.allow, context, {
    type: 'step_up',
    issuer: server.issuer,
    origins: [],
    clientId: previous?.client.clientId ?? options.clientId,
    scopes: scopesOf(scope),
    granted: scopesOf(scopeFor(previous, server.issuer)),
  })
}

/** A server without authorization metadata probably does not use OAuth. */
function fallbackFailed(error: unknown, provider: string, resource: URL): unknown {
  const codes = ['invalid_response', 'registration_failed', 'server_error', 'invalid_grant']
  if (!isCredentialError(error) || !codes.includes(error.code) || error.status === 429) return error
  return new DiscoveryError(
    `${provider}: ${resourceLabel(resource)} names no authorization server, and has none at the default URLs.`,
    {
      resource,
      provider,
      reason: 'no_authorization_server',
      remedy:
        'It may require an API key or a bearer token; otherwise pass `issuer`, or `metadata` with its endpoints.',
    },
  )
}
