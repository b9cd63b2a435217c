/**
 * Config files from which secrets are taken, while other programs use them.
 *
 * @module
 */
import { readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { applyEdits, findNodeAtLocation, type JSONPath, modify, parseTree } from 'jsonc-parser'
import { CredentialError } from '../index.ts'
import { printable } from './labels.ts'

/** A member of a file, the value that it has to have, and what stands there afterwards. */
export interface Removal {
  readonly path: JSONPath
  readonly value: string
  /** Absent: the member is taken out. */
  readonly replacement?: string
}

const formattingOptions = { insertSpaces: true, tabSize: 2 }

/** The text without some members, and without the objects that this leaves empty. */
export function withoutLiterals(text: string, removals: readonly Removal[]): string {
  return removals.reduce(removed, text)
}

function removed(text: string, { path, value, replacement }: Removal): string {
  const root = parseTree(text, [], { allowTrailingComma: true })
  if (root === undefined || findNodeAtLocation(root, path)?.value !== value) return text
  const without = applyEdits(text, modify(text, path, replacement, { formattingOptions }))
  if (replacement !== undefined) return without
  const parent = path.slice(0, -1)
  const rest = parseTree(without, [], { allowTrailingComma: true })
  const left = rest && findNodeAtLocation(rest, parent)
  if (left?.type !== 'object' || (left.children ?? []).length > 0) return without
  return applyEdits(without, modify(without, parent, undefined, { formattingOptions }))
}

/** How often another program may come in between. */
const mostAttempts = 10

/**
 * Takes members out of a file, in the form that it has now. It is replaced whole or not at all, with the rights that
 * it has; a link to it stays a link.
 *
 * @returns Its new text.
 * @throws `CredentialError` when another program writes it again and again.
 */
export async function rewriteFile(path: string, removals: readonly Removal[]): Promise<string> {
  const real = await realpath(path)
  const temporary = `${real}.${process.pid}.tmp`
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    const bytes = await readFile(real)
    const { mode } = await stat(real)
    const mark = bytes.subarray(0, 3).equals(byteOrderMark) ? byteOrderMark : Buffer.alloc(0)
    const text = withoutLiterals(new TextDecoder().decode(bytes), removals)
    try {
      const content = Buffer.concat([mark, Buffer.from(text)])
      await writeFile(temporary, content, { mode: mode & 0o777, flag: 'wx' })
      if (!bytes.equals(await readFile(real))) continue
      await rename(temporary, real)
      return text
    } finally {
      await rm(temporary, { force: true })
    }
  }
  throw new CredentialError(
    'config_busy',
    `Another program keeps writing ${printable(path)}, so the secrets that were stored are still in it.`,
    { remedy: 'End that program, and take them out by hand.' },
  )
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])
