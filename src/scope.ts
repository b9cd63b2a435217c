/**
 * Scopes as sets.
 *
 * @module
 */

const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** Joins two scopes, each once, in the order in which they appear (RFC 6749, section 3.3). */
export function scopeUnion(left: string | undefined, right: string): string {
  return [...new Set([...scopes(left), ...scopes(right)])].join(' ')
}

/** Whether a granted scope contains all required scopes. */
export function scopeCovers(granted: string | undefined, wanted: string): boolean {
  const held = scopes(granted)
  return [...scopes(wanted)].every((scope) => held.has(scope))
}

/** The valid scopes in a text (RFC 6749, section 3.3). */
export function validScopes(text: unknown): string[] {
  // A credential of foreign code may have anything as its scope.
  return typeof text === 'string' ? text.split(' ').filter((scope) => scopeToken.test(scope)) : []
}

function scopes(text: unknown): Set<string> {
  return new Set(validScopes(text))
}
