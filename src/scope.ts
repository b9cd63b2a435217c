/**
 * Scopes as sets.
 *
 * @module
 */

/** Joins two scopes, each once, in the order in which they appear (RFC 6749, section 3.3). */
export function scopeUnion(left: string | undefined, right: string): string {
  return [...scopes(`${left ?? ''} ${right}`)].join(' ')
}

/** Whether a granted scope contains all that is wanted. */
export function scopeCovers(granted: string | undefined, wanted: string): boolean {
  const held = scopes(granted ?? '')
  return [...scopes(wanted)].every((scope) => held.has(scope))
}

function scopes(text: string): Set<string> {
  return new Set(text.split(' ').filter((scope) => scope !== ''))
}
