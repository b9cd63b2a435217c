/**
 * Parses command lines that run without a shell.
 *
 * @module
 */
import { resolve } from 'node:path'

/** Characters with a meaning in a shell; without one, they would be part of an argument by mistake. */
const shellCharacters = /[|&;<>`$\n]/

/**
 * Splits a command line into the program and its arguments at white space, with quotes as in a shell.
 * Nothing is expanded.
 *
 * @returns The list, or the problem.
 */
export function splitCommand(line: string): readonly string[] | { readonly problem: string } {
  const words: string[] = []
  let rest = line.trim()
  while (rest !== '') {
    const word = /^(?:[^\s"'\\]|\\[\s"'\\]|\\(?![\s"'\\])|"(?:[^"\\]|\\.)*"|'[^']*')+/s.exec(
      rest,
    )?.[0]
    if (word === undefined) return { problem: 'has an unclosed quote' }
    if (shellCharacters.test(word.replace(/'[^']*'/g, ''))) {
      return {
        problem:
          'contains shell syntax, but no shell is used; move it to a script, and run the script',
      }
    }
    words.push(unquoted(word))
    rest = rest.slice(word.length).trimStart()
  }
  return words[0] === undefined || words[0] === '' ? { problem: 'names no program' } : words
}

function unquoted(word: string): string {
  return word.replace(
    /\\([\s"'\\])|"((?:[^"\\]|\\.)*)"|'([^']*)'/gs,
    (_all, escaped: string | undefined, double: string | undefined, single: string | undefined) =>
      escaped ?? double?.replace(/\\(["\\])/g, '$1') ?? single ?? '',
  )
}

/** The same command, with a relative path of the program resolved against a folder. */
export function placedIn(directory: string, [program = '', ...args]: readonly string[]): string[] {
  return [/^\.{1,2}[\\/]/.test(program) ? resolve(directory, program) : program, ...args]
}
