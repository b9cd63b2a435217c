/**
 * What may be shown of URLs and of texts that a server wrote.
 *
 * @module
 */
import { CredentialError } from '../../index.ts'
import { labelOf } from '../labels.ts'

/** A text of a server: cleaned, without anything like a token, short, and quoted. */
export function quoted(text: unknown): string {
  return JSON.stringify(cleaned(text))
}

/** A text of a server that is a name and needs no quotes: cleaned, and cut at `limit` characters. */
export function cleaned(text: unknown, limit = 80): string {
  const serverDescription = typeof text === 'string' ? text.slice(0, 2000) : ''
  const plain = new CredentialError('label', '', { serverDescription }).serverDescription ?? ''
  return plain.length <= limit ? plain : `${plain.slice(0, limit - 1).replace(/\p{Cs}$/u, '')}…`
}

/** At most a few texts of a server, and how many more there are. */
export function listed(texts: readonly unknown[], limit = 8): string {
  const shown = texts.slice(0, limit).map((text) => cleaned(text, 60))
  const more = texts.length - shown.length
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** An issuer as it writes itself, since a slash may be all that differs; it is published, so no secret. */
export function issuerLabel(issuer: string): string {
  const isPlain = issuer.length <= 200 && /^https?:\/\/[\x21-\x7e]+$/.test(issuer)
  return isPlain && !/[?#@'"`$\\<>|]/.test(issuer) ? issuer : labelOf(issuer)
}
