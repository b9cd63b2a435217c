/**
 * Command lines that are run without a shell.
 *
 * @module
 */
import { resolve } from 'node:path'

/** What a shell would act upon; here it would be an argument like any other, which nobody means. */
const shellCharacters = /[|&;<>`$\n]/

/**
 * Splits a command line into the program and its arguments: at white space, with quotes as in a shell. Nothing is
 * expanded.
 *
 * @returns The list, or why it is none, in words.
 */
export function splitCommand(line: string): readonly string[] | { readonly problem: string } {
  const words: string[] = []
  let rest = line.trim()
  while (rest !== '') {
    const word = /^(?:[^\s"'\\]|\\[\s"'\\]|\\(?![\s"'\\])|"(?:[^"\\]|\\.)*"|'[^']*')+/s.exec(
      rest,
    )?.[0]
    if (word === undefined) return { problem: 'has a quote that is not closed' }
    if (shellCharacters.test(word.replace(/'[^']*'/g, ''))) {
      return { problem: 'needs a shell, and none is used; put it into a script and name that' }
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

/** The same command with a program that is named by its place relative to a folder. */
export function placedIn(directory: string, [program = '', ...args]: readonly string[]): string[] {
  return [/^\.{1,2}[\\/]/.test(program) ? resolve(directory, program) : program, ...args]
}
