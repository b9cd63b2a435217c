/**
 * Reports the audit events of OAuth.
 *
 * @module
 */
import type { AuditEvent } from '../audit-events.ts'
import type { AcquireContext } from '../credential.ts'
import { describeThrown, isCredentialError } from '../errors.ts'
import { shortenPath } from '../labels.ts'
import { scopeCovers, validScopes } from '../scope.ts'
import type { Bound } from './bound.ts'
import type { GrantSession } from './grant.ts'
import { OAuthCredential, type TokenSet } from './token.ts'

/** Receives events. */
export type Emit = NonNullable<AcquireContext['emit']>

/** The maximum length of a scope that was not requested. */
const maxScopeLength = 100
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** The grants of the providers, by their `grant_type`. */
const grantTypes: Readonly<Record<string, string>> = {
  authorizationCode: 'authorization_code',
  deviceCode: 'urn:ietf:params:oauth:grant-type:device_code',
  clientCredentials: 'client_credentials',
  refreshToken: 'refresh_token',
  savedLogin: 'refresh_token',
  webLogins: 'authorization_code',
  tokenExchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  jwtBearer,
  enterpriseManaged: jwtBearer,
}

/** Reports one acquisition. */
export interface Audit {
  /** The context, whose events name their grant and client. */
  readonly context: AcquireContext
  /** A user is asked to log in. */
  loginStarted(session: GrantSession, clientId?: string): void
  /** The user returns from a login that was started earlier, at this issuer. */
  loginResumed(from: string): void
  /** A login did not begin. */
  loginRefused(issuer: string | undefined, error: unknown): void
  /** The acquisition has ended; with the error, if it failed. */
  ended(tokens: TokenSet | undefined, error?: unknown): void
}

/** Starts to report an acquisition. */
export function auditOf(given: AcquireContext, name: string, clientId: string | undefined): Audit {
  const grant = grantTypes[name] ?? name
  const known = { grant, ...(clientId === undefined ? {} : { clientId }) }
  const emit: Emit = (event) => given.emit?.(withShortClient({ ...known, ...event }))
  let issuer: string | undefined
  return {
    context: { ...given, emit },
    loginStarted({ server, scope }, client) {
      issuer = server.issuer
      const identity = client === undefined ? {} : { clientId: client }
      emit({ type: 'login_started', issuer, ...identity, requested: validScopes(scope) })
    },
    loginResumed(from) {
      issuer = from
    },
    loginRefused(at, error) {
      const where = at === undefined ? {} : { issuer: at }
      const other = `${name}: the login did not begin (${describeThrown(error)}).`
      const reason = isCredentialError(error) ? error.message : other
      emit({ type: 'login_refused', ...where, during: 'begin', code: codeOf(error), reason })
    },
    ended(tokens, error) {
      if (issuer === undefined) return
      emit({
        type: 'login_finished',
        issuer,
        ...(tokens === undefined ? {} : { clientId: tokens.client.clientId }),
        succeeded: error === undefined,
        ...(error === undefined ? {} : { code: codeOf(error) }),
      })
    },
  }
}

/** Reports that the MCP server names a different authorization server from before. */
export function reportIssuer(
  { emit }: AcquireContext,
  issuer: string,
  previous: TokenSet | undefined,
): void {
  if (previous === undefined || previous.issuer === issuer) return
  emit?.({ type: 'issuer_changed', issuer, previousIssuer: previous.issuer })
}

/**
 * Reports what was granted.
 *
 * @param renewal - The scopes of the renewed tokens, if any; unchanged scopes are not reported.
 */
export function reportScopes(
  { context, scope }: GrantSession,
  credential: OAuthCredential,
  renewal?: { readonly before: string | undefined },
): void {
  const tokens = OAuthCredential.tokensOf(credential)
  if (tokens === undefined) return
  const { issuer, client } = tokens
  const { scope: held } = credential
  const isUnchanged =
    scopeCovers(held, renewal?.before ?? '') && scopeCovers(renewal?.before, held ?? '')
  if (renewal !== undefined && isUnchanged) return
  const requested = validScopes(renewal === undefined ? scope : renewal.before)
  const granted = validScopes(held)
  // Both lists come from servers, which may make them long.
  const asked = new Set(requested)
  const received = new Set(granted)
  const before = OAuthCredential.tokensOf(context.previous)
  const secrets = [tokens, ...(before === undefined ? [] : [before])].flatMap(
    ({ accessToken, refreshToken, client: { clientSecret } }) => [
      accessToken,
      refreshToken,
      clientSecret,
    ],
  )
  context.emit?.({
    type: 'scopes_granted',
    issuer,
    clientId: client.clientId,
    ...(renewal === undefined ? {} : { grant: 'refresh_token' }),
    requested,
    granted: granted.map((name) => (asked.has(name) ? name : scopeLabel(name, secrets))),
    missing: requested.filter((name) => !received.has(name)),
  })
}

/** Formats a scope that was not requested: a server might repeat secrets of the request in it, or send a page. */
function scopeLabel(name: string, secrets: readonly (Bound | undefined)[]): string {
  const isSecret = name.split('/').some((part) => secrets.some((secret) => secret?.equals(part)))
  if (isSecret) return '…'
  const shown = shortenPath(name)
  return shown.length > maxScopeLength ? `${shown.slice(0, maxScopeLength)}…` : shown
}

/** A server that registers clients chooses their identifiers, which might contain a sentence. */
function withShortClient(event: AuditEvent): AuditEvent {
  const { clientId } = event
  if (clientId === undefined || /^[\x21-\x7e]{1,500}$/.test(clientId)) return event
  return { ...event, clientId: `${/^[\x21-\x7e]{0,60}/.exec(clientId)?.[0] ?? ''}…` }
}

/**
 * Runs a revocation, and reports how it ended.
 *
 * @param revoke - Rejects when the tokens are not revoked.
 */
export async function auditRevocation(
  { emit }: AcquireContext,
  { issuer, client }: TokenSet,
  revoke: () => Promise<void>,
): Promise<void> {
  const event = { type: 'revocation', issuer, clientId: client.clientId } as const
  try {
    await revoke()
    emit?.({ ...event, revoked: true })
  } catch (error) {
    const reason = isCredentialError(error) ? { reason: error.message } : {}
    emit?.({ ...event, revoked: false, code: codeOf(error), ...reason })
    throw error
  }
}

function codeOf(error: unknown): string {
  return isCredentialError(error) ? error.code : describeThrown(error)
}
