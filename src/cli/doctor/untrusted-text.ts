/**
 * Cleans URLs and texts of servers before they are shown.
 *
 * @module
 */
import { CredentialError } from '../../index.ts'
import { labelOf } from '../labels.ts'

/** A text of a server: cleaned, without token-like parts, shortened, and quoted. */
export function quoted(text: unknown): string {
  return JSON.stringify(cleaned(text))
}

/** A name from a server: cleaned, and shortened to `limit` characters. */
export function cleaned(text: unknown, limit = 80): string {
  const serverDescription = typeof text === 'string' ? text.slice(0, 2000) : ''
  const plain = new CredentialError('label', '', { serverDescription }).serverDescription ?? ''
  return plain.length <= limit ? plain : `${plain.slice(0, limit - 1).replace(/\p{Cs}$/u, '')}…`
}

/** The first texts of a list of a server, and the number of the others. */
export function listed(texts: readonly unknown[], limit = 8): string {
  const shown = texts.slice(0, limit).map((text) => cleaned(text, 60))
  const more = texts.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** An issuer in full, because issuers may differ only in a slash. It is public. */
export function issuerLabel(issuer: string): string {
  const isPlain = issuer.length <= 200 && /^https?:\/\/[\x21-\x7e]+$/.test(issuer)
  return isPlain && !/[?#@'"`$\\<>|]/.test(issuer) ? issuer : labelOf(issuer)
}
