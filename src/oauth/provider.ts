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
import { credentialOf, type Grant, type GrantSession, loginRequired, openSession } from './grant.ts'
import { canRefresh, refresh } from './refresh-grant.ts'
import { revokeTokens } from './revocation.ts'
import { type LocatedServer, locateIssuer, ServerLocator } from './server.ts'
import { OAuthCredential, type TokenSet, tokenSetFrom } from './token.ts'

/** The providers whose records are the login of a user. */
const loginProviders: ReadonlySet<string> = new Set([
  'authorizationCode',
  'deviceCode',
  'refreshToken',
  'savedLogin',
])

/** Makes a provider of a grant. */
export function oauthProvider(grant: Grant): CredentialProvider {
  const { name, options, interactive } = grant
  const dpopSessions = new DpopSessions(name, options.dpop)
  const locator = new ServerLocator(options)
  const open = (context: AcquireContext, server: LocatedServer): GrantSession => {
    const held = OAuthCredential.dpopOf(context.previous)
    return openSession(grant, context, server, dpopSessions.of(context.resource, held))
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
        return await obtain(grant, open(context, server), previous)
      } catch (thrown) {
        const { resource } = context
        const issuer = server?.metadata.issuer
        const where = { provider: name, resource, issuer, interactive }
        const error = toOAuthError(thrown, where)
        throw server?.fromFallback === true ? fallbackFailed(error, name, resource) : error
      }
    },
    async revoke(credential, context) {
      const tokens = OAuthCredential.tokensOf(credential)
      if (tokens === undefined) return false
      // Tokens are revoked by their issuer, also when the MCP server has moved or does not answer.
      const located = await locator.locate(context).catch(() => undefined)
      const isIssuer = located?.metadata.issuer === tokens.issuer
      const server = isIssuer ? located : await locateIssuer(options, context, tokens.issuer)
      const { issuer, revocation_endpoint } = server.metadata
      if (revocation_endpoint === undefined || issuer !== tokens.issuer) return false
      return revokeTokens(open(context, server), tokens)
    },
    restore(record) {
      const tokens = restorableTokens(grant, record)
      if (tokens === undefined) return undefined
      return new OAuthCredential(name, tokens, dpopSessions.restore(tokens))
    },
  }
}

/** Refreshes the previous tokens where that is possible, else runs the grant. */
async function obtain(
  grant: Grant,
  session: GrantSession,
  previous: TokenSet | undefined,
): Promise<Credential> {
  const { context, server } = session
  const { unattended = !grant.interactive } = grant
  const mayRun = unattended || context.interactive
  const isStepUp = context.reason === 'insufficient_scope'
  // A refresh cannot widen the scope (RFC 6749, section 6).
  if (canRefresh(previous, server, grant.options) && !isStepUp) {
    const result = await refresh(session, previous, grant.replaces !== false && mayRun)
    if (result !== undefined) return credentialOf(session, result, previous.scope, previous)
  }
  if (isStepUp ? grant.widens === false : !mayRun) throw loginRequired(session, previous)
  return credentialOf(session, await grant.run(session), session.scope, previous)
}

/** The tokens of a record; `undefined` when they belong to another provider or another client. */
function restorableTokens(
  { name, options, interactive }: Grant,
  record: CredentialRecord,
): TokenSet | undefined {
  // Any provider for users can continue a login, whichever of them made it.
  const isOwn = record.provider === name || (interactive && loginProviders.has(record.provider))
  const tokens = isOwn ? tokenSetFrom(record) : undefined
  const { clientId } = options
  return clientId === undefined || tokens?.client.clientId === clientId ? tokens : undefined
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
