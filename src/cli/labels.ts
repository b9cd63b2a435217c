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
  const line = new CredentialError('text', text).message.trim()
  return line.length <= 120 ? line : `${line.slice(0, 119)}…`
}
