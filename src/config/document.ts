/**
 * Reads config files with a size limit, and parses them with comments, trailing commas and positions.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import { createScanner, type Node, parseTree, printParseErrorCode } from 'jsonc-parser'
import { isProtectedPath } from '../stores/protected-path.ts'
import type { Position, Report } from './problems.ts'

/** The content of a file. */
export interface FileContent {
  /** The path that was searched. */
  readonly path: string
  /** The path with links resolved. */
  readonly realPath: string
  readonly bytes: Buffer
  /** Whether only this user and the administrator can change it, its folders and the links to it. */
  readonly isProtected: boolean
}

/** Why a file could not be read. */
export interface Unreadable {
  readonly problem: string
}

/** The most levels of nesting; the parser is recursive. */
const deepest = 64

/** Reads a file; `undefined`: it does not exist. */
export async function readContent(
  path: string,
  maxBytes: number,
): Promise<FileContent | Unreadable | undefined> {
  try {
    const realPath = await realpath(path)
    // Opening a named pipe must not block.
    const handle = await open(realPath, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const stats = await handle.stat()
      const { size } = stats
      if (!stats.isFile()) return { problem: 'is not a regular file' }
      if (size > maxBytes) return { problem: `is larger than ${maxBytes / 1_048_576} MB` }
      const buffer = Buffer.alloc(size + 1)
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0)
      if (bytesRead > size) return { problem: 'changed while it was read' }
      const isProtected = await isProtectedPath(path)
      return { path, realPath, bytes: buffer.subarray(0, bytesRead), isProtected }
    } finally {
      await handle.close()
    }
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    return { problem: `cannot be read (${code})` }
  }
}

/** The SHA-256 of the path and the content of a file, in hex. */
export function fingerprint({ realPath, bytes }: FileContent): string {
  return createHash('sha256').update(`${realPath}\0`).update(bytes).digest('hex')
}

/**
 * Parses a file, and reports problems to `report`.
 *
 * @returns The root; `undefined`: the text cannot be parsed.
 */
export function parseText(text: string, report: Report): Node | undefined {
  const tooDeep = offsetTooDeep(text)
  if (tooDeep !== undefined) {
    report(tooDeep, `Expected at most ${deepest} levels of brackets.`)
    return undefined
  }
  const errors: { error: number; offset: number; length: number }[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true, allowEmptyContent: true })
  for (const { error, offset } of errors) {
    const name = printParseErrorCode(error as Parameters<typeof printParseErrorCode>[0])
    report(offset, syntaxMessages[name] ?? 'Expected JSON.')
  }
  return root
}

/** Decodes a file; `undefined`: it is not UTF-8. */
export function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Converts offsets of a text to positions, by binary search: a hostile file can contain very many problems. */
export function positionsOf(text: string): (offset: number) => Position {
  const lineStarts = [0]
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) {
    lineStarts.push(end + 1)
  }
  return (offset) => {
    let [first, after] = [0, lineStarts.length]
    while (after - first > 1) {
      const middle = (first + after) >> 1
      if ((lineStarts[middle] ?? 0) <= offset) first = middle
      else after = middle
    }
    return { line: first + 1, column: offset - (lineStarts[first] ?? 0) + 1 }
  }
}

const syntaxMessages: Readonly<Record<string, string>> = {
  InvalidSymbol: 'Expected a value in double quotes, a number, true, false or null.',
  InvalidNumberFormat: 'Expected a number.',
  PropertyNameExpected: 'Expected a name in double quotes.',
  ValueExpected: 'Expected a value.',
  ColonExpected: 'Expected a colon.',
  CommaExpected: 'Expected a comma.',
  CloseBraceExpected: 'Expected a closing brace `}`.',
  CloseBracketExpected: 'Expected a closing bracket `]`.',
  EndOfFileExpected: 'Expected the end of the file.',
  UnexpectedEndOfComment: 'Expected the end of the comment, `*/`.',
  UnexpectedEndOfString: 'Expected the closing quote of a string.',
  UnexpectedEndOfNumber: 'Expected the rest of a number.',
  InvalidUnicode: 'Expected four hex digits after `\\u`.',
  InvalidEscapeCharacter: 'Expected a JSON escape sequence after the backslash.',
  InvalidCharacter: 'Expected no control character in a string.',
}

const openBrace = 1
const closeBrace = 2
const openBracket = 3
const closeBracket = 4
const endOfFile = 17

/** The offset at which a text is nested too deeply. */
function offsetTooDeep(text: string): number | undefined {
  const scanner = createScanner(text, true)
  let depth = 0
  for (;;) {
    const token: number = scanner.scan()
    if (token === endOfFile) return undefined
    if (token === openBrace || token === openBracket) depth += 1
    if (token === closeBrace || token === closeBracket) depth -= 1
    if (depth > deepest) return scanner.getTokenOffset()
  }
}
