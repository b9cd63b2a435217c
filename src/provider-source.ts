/**
 * Describes where a credential comes from.
 *
 * @module
 */
import type { Credential, CredentialProvider } from './credential.ts'
import { serverLabel } from './labels.ts'

/**
 * Returns the source that a provider names for a credential; `undefined`: it names none, or the credential is
 * not known.
 */
export function sourceOf(
  source: CredentialProvider['source'],
  credential: Credential | undefined,
): string | undefined {
  if (typeof source !== 'function') return source
  return credential === undefined ? undefined : source(credential)
}

/**
 * Describes what a store held for a server, such as
 * `the login stored for https://mcp.example.com/mcp on 2026-01-31`.
 *
 * @param at - When it was issued or stored, in milliseconds since the epoch.
 */
export function storedSource(what: string, server: URL, at: number | undefined): string {
  const date = at === undefined ? undefined : new Date(at)
  const isDate = date !== undefined && !Number.isNaN(date.getTime())
  return `the ${what} stored for ${serverLabel(server)}${isDate ? ` on ${date.toISOString().slice(0, 10)}` : ''}`
}
