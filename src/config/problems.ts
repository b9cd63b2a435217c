/**
 * What is wrong in config files, and where.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { cleanText, printable } from '../labels.ts'

/** A place in a file; both numbers begin at 1, and columns are UTF-16 code units. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Something wrong at a place of a file. The message quotes no value of the file. */
export interface Problem extends Position {
  readonly file: string
  readonly message: string
}

/** Notes a problem at an offset of the text that is being read. */
export type Report = (offset: number, message: string) => void

/** As many as a person reads at once. */
const mostShown = 10

/** One error with the problems of a file, at most ten of them. */
export function problemsError(problems: readonly Problem[]): ConfigurationError {
  const shown = problems.slice(0, mostShown).map(problemText)
  const rest = problems.length - shown.length
  const text = rest === 0 ? shown : [...shown, `And ${rest} more.`]
  return new ConfigurationError('config', text.join(' '))
}

/** A problem in one line, in the form that editors and terminals make a link of. */
export function problemText({ file, line, column, message }: Problem): string {
  return `${printable(file)}:${line}:${column}: ${message}`
}

/** What may be shown of a name that somebody else wrote. */
export function shown(name: string): string {
  const clean = cleanText(name)
  return clean.length <= 80 ? clean : `${clean.slice(0, 79).replace(/\p{Cs}$/u, '')}…`
}

/** A path as an argument that a shell takes as it is: a folder's name can be an attack. */
export function quoted(path: string): string {
  const plain = printable(path, '')
  return /^[\w@%+=:,./~-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`
}
