/**
 * Separates the problem of an error from its remedy: the remedies of the library name functions, not commands.
 *
 * @module
 */
import type { CredentialError } from '../index.ts'

/** The message of an error without its remedy. */
export function withoutRemedy({ message, remedy = '' }: CredentialError): string {
  const problem = message.endsWith(remedy)
    ? message.slice(0, message.length - remedy.length)
    : message
  return problem.trim()
}

/** The message of an error without its remedy, and without the name of the library's function at its start. */
export function withoutFunction(error: CredentialError): string {
  return withoutRemedy(error).replace(/^[a-z]\w*: /, '')
}

/** The problem of an error as a sentence of its own. */
export function problemOf(error: CredentialError): string {
  const text = withoutFunction(error)
  return /^https?:/.test(text) ? text : text.slice(0, 1).toUpperCase() + text.slice(1)
}
