/**
 * Which scopes to ask for.
 *
 * @module
 */
import type { Challenge } from '../credential.ts'
import { scopeUnion, validScopes } from '../scope.ts'

/** What is known about scopes before a request. */
export interface ScopeSources {
  /** The union that a 403 led to; it widens what the application chose. */
  readonly wanted: string | undefined
  /** What the application chose. */
  readonly chosen: string | undefined
  /** What the server said when it refused the previous token. */
  readonly challenges: readonly Challenge[]
  /** What the previous token is for. */
  readonly before: string | undefined
  /** What the server said that it wants, when it was found. */
  readonly located: readonly Challenge[]
  /** What the MCP server lists. */
  readonly resourceScopes: readonly string[] | undefined
  /** What the authorization server lists. */
  readonly issuerScopes: readonly string[] | undefined
  /** A refresh token is of use, so it may be asked for. */
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
