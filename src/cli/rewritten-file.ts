/**
 * Removes secrets from config files that other programs may write at the same time.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { open, readdir, readFile, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { applyEdits, findNodeAtLocation, type JSONPath, modify, parseTree } from 'jsonc-parser'
import { CredentialError } from '../index.ts'
import { printable } from './labels.ts'

/** A member of a file, the value that it must have, and its replacement. */
export interface Removal {
  readonly path: JSONPath
  readonly value: string
  /** Absent: the member is removed. */
  readonly replacement?: string
}

const formattingOptions = { insertSpaces: true, tabSize: 2 }

/** The text without some members, and without objects that become empty. */
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

/** The most attempts while another program writes the file. */
const mostAttempts = 10

/**
 * Removes members from the current content of a file. The file is replaced atomically and keeps its
 * permissions; a link to it is preserved.
 *
 * @returns Its new text.
 * @throws `CredentialError` when another program keeps writing the file.
 */
export async function rewriteFile(path: string, removals: readonly Removal[]): Promise<string> {
  const real = await realpath(path)
  await removeUnfinished(real)
  for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
    const bytes = await readFile(real)
    const { mode } = await stat(real)
    const mark = bytes.subarray(0, 3).equals(byteOrderMark) ? byteOrderMark : Buffer.alloc(0)
    const text = withoutLiterals(new TextDecoder().decode(bytes), removals)
    const content = Buffer.concat([mark, Buffer.from(text)])
    const temporary = await writeTemporary(real, content, mode & 0o777)
    const isSame = bytes.equals(await readFile(real).catch(() => Buffer.alloc(0)))
    if (isSame && (await renamed(temporary, real))) return text
    await unlink(temporary).catch(() => {})
  }
  throw new CredentialError(
    'config_busy',
    `Another program keeps writing ${printable(path)}, so the stored secrets are still in it.`,
    { remedy: 'Stop that program, and remove the secrets from the file yourself.' },
  )
}

/** The suffix of temporary files: the process that created one, and a UUID. */
const temporaryName = /^\.(\d+)-[\da-f-]{36}\.tmp$/

async function writeTemporary(path: string, content: Buffer, mode: number): Promise<string> {
  const temporary = `${path}.${process.pid}-${randomUUID()}.tmp`
  const handle = await open(temporary, 'wx', mode)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}

/**
 * Renames a file to another, and returns whether it succeeded; it fails if another process has removed the
 * file.
 */
async function renamed(temporary: string, path: string): Promise<boolean> {
  try {
    await rename(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    await unlink(temporary).catch(() => {})
    throw error
  }
  // Without this, the folder may refer to the old file after a power failure. Windows cannot open folders.
  const folder = await open(dirname(path)).catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
  return true
}

/** Removes temporary files of processes that were killed; they contain secrets. */
async function removeUnfinished(path: string): Promise<void> {
  const name = basename(path)
  const names = await readdir(dirname(path)).catch(() => [])
  for (const each of names.filter((one) => one.startsWith(name))) {
    const pid = temporaryName.exec(each.slice(name.length))?.[1]
    if (pid === undefined || isRunning(Number(pid))) continue
    await unlink(join(dirname(path), each)).catch(() => {})
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf])
