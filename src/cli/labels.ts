/**
 * Makes URLs and untrusted texts safe to print, by the rules of the library's errors.
 *
 * @module
 */
import { CredentialError } from '../index.ts'

/** The origin and path of a URL, with segments that look like tokens shortened. */
export function labelOf(url: string | URL): string {
  return new CredentialError('label', '', { resource: url }).resource ?? ''
}

/** An untrusted text in one line of at most 120 characters, without terminal control characters. */
export function shown(text: string): string {
  const line = printable(text).trim()
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`
}

/** A text without control, bidirectional and invisible characters, in full length. */
export function printable(text: string): string {
  return new CredentialError('text', text).message
}

/** A text quoted as one word for a shell: a URL or a name may be an attack. */
export function commandWord(text: string): string {
  const plain = printable(text)
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`
}
