/**
 * Chooses the scopes to request.
 *
 * @module
 */
import type { Challenge } from '../credential.ts'
import { scopeUnion, validScopes } from '../scope.ts'

/** The sources of the scopes of a request. */
export interface ScopeSources {
  /** The union after a 403; it widens the application's choice. */
  readonly wanted: string | undefined
  /** The application's choice. */
  readonly chosen: string | undefined
  /** The challenges of the server's refusal of the previous token. */
  readonly challenges: readonly Challenge[]
  /** The scopes of the previous token. */
  readonly before: string | undefined
  /** The challenges of the server at discovery. */
  readonly located: readonly Challenge[]
  /** The scopes that the MCP server lists. */
  readonly resourceScopes: readonly string[] | undefined
  /** The scopes that the authorization server lists. */
  readonly issuerScopes: readonly string[] | undefined
  /** Whether a refresh token can be used and may be requested. */
  readonly offline: boolean
}

/**
 * The scopes of a request, separated by spaces; `undefined`: leave the parameter out.
 *
 * `offline_access` is added only where the authorization server lists it, and never to scopes that
 * the application chose.
 *
 * @see MCP 2026-07-28, Scope Selection Strategy and Refresh Tokens
 */
export function chooseScope(sources: ScopeSources): string | undefined {
  const { wanted, chosen, before, issuerScopes, offline } = sources
  const listed = sources.resourceScopes?.join(' ')
  const scope =
    (chosen === undefined ? wanted : scopeUnion(chosen, wanted ?? '')) ??
    scopeOf(sources.challenges) ??
    (before === '' ? undefined : before) ??
    scopeOf(sources.located) ??
    (listed === '' ? undefined : listed)
  if (scope === undefined || chosen !== undefined || !offline) return scope
  const addition = 'offline_access'
  if (issuerScopes?.includes(addition) !== true || scope.split(' ').includes(addition)) return scope
  return `${scope} ${addition}`
}

function scopeOf(challenges: readonly Challenge[]): string | undefined {
  return challenges
    .map(({ parameters }) => validScopes(parameters.get('scope')).join(' '))
    .find((scope) => scope !== '')
}
