/**
 * The version of this package.
 *
 * @module
 */
import { readFileSync } from 'node:fs'

/** Whether a command line requests only the version. */
export function asksForVersion([first]: readonly string[]): boolean {
  return first === '--version' || first === '-V'
}

/** The version in package.json. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}
