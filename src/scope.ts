/**
 * Scopes as sets.
 *
 * @module
 */

/** Joins two scopes, each once, in the order in which they appear (RFC 6749, section 3.3). */
export function scopeUnion(left: string | undefined, right: string): string {
  return [...new Set([...scopes(left), ...scopes(right)])].join(' ')
}

/** Whether a granted scope contains all that is wanted. */
export function scopeCovers(granted: string | undefined, wanted: string): boolean {
  const held = scopes(granted)
  return [...scopes(wanted)].every((scope) => held.has(scope))
}

// A credential of foreign code may have anything as its scope.
function scopes(text: unknown): Set<string> {
  if (typeof text !== 'string') return new Set()
  return new Set(text.split(' ').filter((scope) => scope !== ''))
}
