/**
 * How URLs and foreign texts are shown: as the library's own errors show them.
 *
 * @module
 */
import { CredentialError } from '../index.ts'

/** The origin and path of a URL, in which segments that look like tokens are shortened. */
export function labelOf(url: string | URL): string {
  return new CredentialError('label', '', { resource: url }).resource ?? ''
}

/** A foreign text in one line: without what controls a terminal, and cut at 120 characters. */
export function shown(text: string): string {
  const line = printable(text).trim()
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`
}

/** A text without what controls a terminal, turns text around or does not show; nothing of it is shortened. */
export function printable(text: string): string {
  return new CredentialError('text', text).message
}

/** A word of a command line that a shell takes as it is: an address or a name can be an attack. */
export function commandWord(text: string): string {
  const plain = printable(text)
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`
}
