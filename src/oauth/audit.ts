/**
 * Reports what an auditor wants to know of OAuth.
 *
 * @module
 */
import type { AcquireContext } from '../credential.ts'
import { describeThrown, isCredentialError } from '../errors.ts'
import { shortenPath } from '../labels.ts'
import { scopeCovers, validScopes } from '../scope.ts'
import type { GrantSession } from './grant.ts'
import { OAuthCredential, type TokenSet } from './token.ts'

/** Where events go. */
export type Emit = NonNullable<AcquireContext['emit']>

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

/** One acquisition, as it is reported. */
export interface Audit {
  /** The context, whose events say which grant and client they are about. */
  readonly context: AcquireContext
  /** A user is asked to log in. */
  loginStarted(session: GrantSession): void
  /** A user comes back from a login that was started before, at this issuer. */
  loginResumed(from: string): void
  /** A login did not begin. */
  loginRefused(issuer: string | undefined, error: unknown): void
  /** The acquisition has ended; with the error, if it failed. */
  ended(tokens: TokenSet | undefined, error?: unknown): void
}

/** Starts to report one acquisition. */
export function auditOf(given: AcquireContext, name: string, clientId: string | undefined): Audit {
  const grant = grantTypes[name] ?? name
  const known = { grant, ...(clientId === undefined ? {} : { clientId }) }
  const emit: Emit = (event) => given.emit?.({ ...known, ...event })
  let issuer: string | undefined
  return {
    context: { ...given, emit },
    loginStarted({ server, scope }) {
      issuer = server.issuer
      emit({ type: 'login_started', issuer, requested: validScopes(scope) })
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

/** Reports that the MCP server names another authorization server than before. */
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
 * @param renewal - The scopes of the tokens that were renewed, if any; what is unchanged is not reported.
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
  context.emit?.({
    type: 'scopes_granted',
    issuer,
    clientId: client.clientId,
    ...(renewal === undefined ? {} : { grant: 'refresh_token' }),
    requested,
    // A server might repeat in a scope what it was sent.
    granted: granted.map((name) => (requested.includes(name) ? name : shortenPath(name))),
    missing: requested.filter((name) => !granted.includes(name)),
  })
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
