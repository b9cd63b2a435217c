/**
 * Config files from which secrets are taken, while other programs use them.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { open, readdir, readFile, realpath, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
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
    `Another program keeps writing ${printable(path)}, so the secrets that were stored are still in it.`,
    { remedy: 'End that program, and take them out by hand.' },
  )
}

/** The mark of the temporary files: the process that made one, and what makes the name unique. */
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

/** Whether a file has taken the place of another; not where the file is gone, as another process may have removed it. */
async function renamed(temporary: string, path: string): Promise<boolean> {
  try {
    await rename(temporary, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    await unlink(temporary).catch(() => {})
    throw error
  }
  // After a power failure, the folder must not lead to the old file again. Windows cannot open folders for this.
  const folder = await open(dirname(path)).catch(() => undefined)
  await folder?.sync().catch(() => {})
  await folder?.close()
  return true
}

/** Removes what processes left that were ended while they wrote; it holds the secrets that were to stay in the file. */
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
