/**
 * Problems in config files, with their positions.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { cleanText, printable } from '../labels.ts'

/** A position in a file; both numbers start at 1, and columns count UTF-16 code units. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A problem at a position of a file. The message quotes no value of the file. */
export interface Problem extends Position {
  readonly file: string
  readonly message: string
}

/** Reports a problem at an offset of the text. */
export type Report = (offset: number, message: string) => void

/** The most problems in one error. */
const mostShown = 10

/** Creates one error for the problems of a file; it lists at most ten. */
export function problemsError(problems: readonly Problem[]): ConfigurationError {
  const shown = problems.slice(0, mostShown).map(problemText)
  const rest = problems.length - shown.length
  const text = rest === 0 ? shown : [...shown, `And ${rest} more.`]
  return new ConfigurationError('config', text.join(' '))
}

/** Formats a problem as `file:line:column: message`, which editors and terminals turn into a link. */
export function problemText({ file, line, column, message }: Problem): string {
  return `${printable(file)}:${line}:${column}: ${message}`
}

/** Cleans an untrusted name before it is shown. */
export function shown(name: string): string {
  const clean = cleanText(name)
  return clean.length <= 80 ? clean : `${clean.slice(0, 79).replace(/\p{Cs}$/u, '')}…`
}

/** Quotes a path for a shell: the name of a folder may be an attack. */
export function quoted(path: string): string {
  const plain = printable(path, '')
  return /^[\w@%+=:,./~-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`
}
