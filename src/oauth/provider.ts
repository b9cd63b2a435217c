/**
 * What all OAuth providers have in common: find the server, refresh where possible, else run the grant.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
} from '../credential.ts'
import { DiscoveryError, isCredentialError, resourceLabel } from '../errors.ts'
import { DpopSessions } from './dpop.ts'
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
import { bindOptions, type OAuthOptions, pinnedIssuer } from './options.ts'
import { canRefresh, refresh } from './refresh-grant.ts'
import { revokeTokens } from './revocation.ts'
import { type LocatedServer, locateIssuer, ServerLocator } from './server.ts'
import { OAuthCredential, scopeFor, type TokenSet, tokenSetFrom } from './token.ts'

/** The providers whose records are the login of a user. */
const loginProviders: ReadonlySet<string> = new Set([
  'authorizationCode',
  'deviceCode',
  'refreshToken',
  'savedLogin',
  'webLogins',
])

/** Makes a provider of a grant. The secret of its options is bound to their issuer here. */
export function oauthProvider(
  unbound: Omit<Grant, 'options'> & { readonly options: OAuthOptions },
): CredentialProvider {
  const grant: Grant = { ...unbound, options: bindOptions(unbound.options) }
  const { name, options, interactive } = grant
  const dpopSessions = new DpopSessions(name, options.dpop)
  const locator = new ServerLocator(options)
  const changes = new IssuerChanges()
  const open = (context: AcquireContext, server: LocatedServer): GrantSession => {
    const held = OAuthCredential.dpopOf(context.previous)
    const dpop = dpopSessions.of(context.resource, held)
    return openSession(grant, context, server, dpop, changes.last(context))
  }
  return {
    name,
    interactive,
    scoped: true,
    discovers: options.metadata === undefined,
    async acquire(context) {
      const previous = OAuthCredential.tokensOf(context.previous)
      let server: LocatedServer | undefined
      try {
        server = await locator.locate(context, previous?.issuer)
        return await obtain(grant, open(context, server), previous, changes)
      } catch (thrown) {
        const { resource } = context
        const issuer = server?.issuer
        const where = { provider: name, resource, issuer, interactive }
        const error = toOAuthError(thrown, where, context.now())
        throw server?.fromFallback === true ? fallbackFailed(error, name, resource) : error
      }
    },
    async revoke(credential, context) {
      const tokens = OAuthCredential.tokensOf(credential)
      if (tokens === undefined) return false
      // Tokens are revoked by their issuer, also when the MCP server has moved or does not answer.
      const located = await locator.locate(context).catch(() => undefined)
      const isIssuer = located?.issuer === tokens.issuer
      const server = isIssuer ? located : await locateIssuer(options, context, tokens.issuer)
      const { revocation_endpoint } = server.metadata
      if (revocation_endpoint === undefined || server.issuer !== tokens.issuer) return false
      return revokeTokens(open(context, server), tokens)
    },
    restore(record) {
      const stored = restorableTokens(grant, record)
      if (stored === undefined) return undefined
      const dpop = dpopSessions.restore(stored)
      const isUnbound = dpop?.required === true && stored.tokenType === 'bearer'
      // It can be exchanged for one that is bound to the key.
      const tokens = isUnbound ? { ...stored, expiresAt: 0 } : stored
      return new OAuthCredential(name, tokens, dpop)
    },
  }
}

/** Refreshes the previous tokens where that is possible, else runs the grant. */
async function obtain(
  grant: Grant,
  session: GrantSession,
  previous: TokenSet | undefined,
  changes: IssuerChanges,
): Promise<Credential> {
  const { context, server } = session
  try {
    const credential = await refreshOrRun(grant, session, previous, changes)
    changes.note(context, server.issuer)
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
  changes: IssuerChanges,
): Promise<Credential> {
  const { context, server } = session
  const { unattended = !grant.interactive } = grant
  const mayRun = unattended || context.interactive
  const isStepUp = context.reason === 'insufficient_scope'
  // A refresh cannot widen the scope (RFC 6749, section 6).
  if (canRefresh(previous, server, grant.options) && !isStepUp) {
    const result = await refresh(session, previous, grant.replaces !== false && mayRun)
    if (result !== undefined) {
      return credentialOf(session, result, scopeFor(previous, server.issuer))
    }
  }
  if (isStepUp ? grant.widens === false : !mayRun) throw loginRequired(session, previous)
  if (grant.interactive) changes.beginLogin(context, server.issuer, previous?.issuer)
  return credentialOf(session, await grant.run(session), session.scope)
}

/** The tokens of a record; `undefined` when they belong to another provider, client or authorization server. */
function restorableTokens(
  { name, options, interactive }: Grant,
  record: CredentialRecord,
): TokenSet | undefined {
  // Any provider for users can continue a login, whichever of them made it.
  const isOwn = record.provider === name || (interactive && loginProviders.has(record.provider))
  const tokens = isOwn ? tokenSetFrom(record) : undefined
  const { clientId = tokens?.client.clientId } = options
  const issuer = pinnedIssuer(options) ?? tokens?.issuer
  const fits = tokens?.client.clientId === clientId && tokens?.issuer === issuer
  return fits ? tokens : undefined
}

/** A server that publishes nothing about authorization probably has none. */
function fallbackFailed(error: unknown, provider: string, resource: URL): unknown {
  const codes = ['invalid_response', 'registration_failed', 'server_error', 'invalid_grant']
  if (!isCredentialError(error) || !codes.includes(error.code) || error.status === 429) return error
  return new DiscoveryError(
    `${provider}: ${resourceLabel(resource)} names no authorization server, and has none at the usual places either.`,
    {
      resource,
      provider,
      remedy:
        'It may want an API key or a bearer token; otherwise pass `issuer`, or `metadata` with its endpoints.',
    },
  )
}
