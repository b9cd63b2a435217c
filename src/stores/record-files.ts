/**
 * Texts as files in one folder.
 *
 * @module
 */
import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isCredentialError, StoreError, type StoreOperation } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import { openPrivate, privateDirectory } from './directory.ts'
import type { TextRecords } from './encrypted-records.ts'
import type { LocalLock, Permit } from './local-lock.ts'
import { maxRecordBytes, oversized } from './record.ts'

/** Milliseconds after which a temporary file belongs to a writer that died. */
const staleMs = 3_600_000

/** Bytes of a file: a record, its key, and the JSON escapes in both. */
const maxFileBytes = 1.5 * maxRecordBytes

/** The content of a file: the key, so that records can be listed, and the text. */
interface Entry {
  readonly key: string
  readonly text: string
}

/** The texts of a folder, each in a separate file that is replaced atomically. */
export function recordFiles(
  directory: string,
  { permit }: Pick<LocalLock, 'permit'>,
): Omit<TextRecords, 'lock'> {
  let cleaning: Promise<void> | undefined

  /** The folder is checked each time: it may be removed, replaced or corrected while the process runs. */
  async function inFolder<T>(
    operation: StoreOperation,
    what: string,
    task: () => Promise<T>,
  ): Promise<T> {
    await privateDirectory(directory)
    cleaning ??= removeStale(directory)
    await cleaning
    try {
      return await task()
    } catch (error) {
      throw failed(operation, what, error)
    }
  }

  return {
    get: (key) =>
      inFolder('get', `of ${recordLabel(key)}`, async () => {
        const entry = await readEntry(join(directory, fileName(key)))
        if (entry === undefined) return undefined
        if (entry === 'oversized') throw oversized(key)
        if (entry === 'damaged' || entry.key !== key) throw damaged(key)
        return entry.text
      }),
    async set(key, makeText) {
      const write = permit('set', key)
      const content = JSON.stringify({ key, text: await makeText() })
      await inFolder('set', `of ${recordLabel(key)}`, () =>
        replaceFile(join(directory, fileName(key)), content, write),
      )
    },
    delete(key) {
      const remove = permit('delete', key)
      return inFolder('delete', `of ${recordLabel(key)}`, async () => {
        try {
          await remove(() => unlink(join(directory, fileName(key))))
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
          throw error
        }
        await syncFolder(directory)
        return true
      })
    },
    list: () =>
      inFolder('list', `in ${directory}`, async () => {
        const keys = await keysIn(directory)
        return keys.filter((key) => typeof key === 'string').sort()
      }),
    unreadable: () =>
      inFolder('list', `in ${directory}`, async () => {
        const keys = await keysIn(directory)
        return keys.filter((key) => isCredentialError(key, 'store'))
      }),
  }
}

/** The names of the files of records. */
export const recordName: RegExp = /-[0-9a-f]{16}\.json$/

/** Returns a readable file name without a secret, unique for each key. */
function fileName(key: string): string {
  const readable = recordLabel(key)
    .replace(/^https?:\/\//, '')
    .replace(/[^A-Za-z0-9.-]+/g, '_')
    .slice(0, 80)
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return `${readable}-${hash}.json`
}

/** Reads the keys of the files that are named like records. */
async function keysIn(directory: string): Promise<readonly (string | StoreError | undefined)[]> {
  const names = (await readdir(directory)).filter((name) => recordName.test(name))
  return Promise.all(names.map((name) => keyOfFile(directory, name)))
}

/**
 * The key of a record, or why its file cannot be read; `undefined`: the file was removed, or its key has
 * another file name.
 */
async function keyOfFile(
  directory: string,
  name: string,
): Promise<string | StoreError | undefined> {
  const path = join(directory, name)
  const entry = await readEntry(path).catch((error: NodeJS.ErrnoException) => {
    if (isCredentialError(error, 'store')) return error
    if (error.code === 'EACCES' || error.code === 'EISDIR') return unreadable(path, error.code)
    throw error
  })
  if (entry === 'damaged') return unreadable(path, 'it is damaged')
  if (entry === 'oversized') return unreadable(path, 'it is larger than 2 MiB')
  if (entry === undefined || isCredentialError(entry, 'store')) return entry
  return fileName(entry.key) === name ? entry.key : undefined
}

async function removeStale(directory: string): Promise<void> {
  // Left by writers that died before they could rename; a younger file may still be in use.
  const names = await readdir(directory).catch(() => [])
  const old = names.filter((entry) => {
    const time = /\.(\d+)-[0-9a-f-]{36}\.tmp$/.exec(entry)?.[1]
    return time !== undefined && Date.now() - Number(time) > staleMs
  })
  await Promise.all(old.map((entry) => unlink(join(directory, entry)).catch(() => {})))
}

async function readEntry(path: string): Promise<Entry | 'damaged' | 'oversized' | undefined> {
  const handle = await openPrivate(path, constants.O_RDONLY)
  if (handle === undefined) return undefined
  let content: string
  try {
    const { size } = await handle.stat()
    if (size > maxFileBytes) return 'oversized'
    content = await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
  try {
    const { key, text } = JSON.parse(content) as Partial<Entry>
    if (typeof key === 'string' && typeof text === 'string') return { key, text }
  } catch {
    // A file that is not JSON is damaged too.
  }
  return 'damaged'
}

/** Replaces a file atomically: a reader sees the old file or the new one, even after a power failure. */
export async function replaceFile(
  path: string,
  text: string,
  write: Permit = (replace) => replace(),
): Promise<void> {
  const temporary = `${path}.${Date.now()}-${randomUUID()}.tmp`
  let handle: FileHandle | undefined
  try {
    handle = await open(temporary, 'wx', 0o600)
    await handle.writeFile(text)
    await handle.sync()
    await handle.close()
    handle = undefined
    await write(() => rename(temporary, path))
    await syncFolder(dirname(path))
  } catch (error) {
    await handle?.close().catch(() => {})
    await unlink(temporary).catch(() => {})
    throw error
  }
}

async function syncFolder(directory: string): Promise<void> {
  // Windows cannot open a folder for this, and does not need it.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function failed(operation: StoreOperation, what: string, error: unknown): unknown {
  if (isCredentialError(error)) return error
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  const verbs = { get: 'read', set: 'written', delete: 'deleted', list: 'listed' }
  const verb = verbs[operation as keyof typeof verbs]
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new StoreError(operation, `The record ${what} could not be ${verb} (${code}).`, {
    retryable: true,
    remedy: isFull
      ? 'Free some space; stored records are untouched.'
      : 'Check the folder and its permissions; stored records are untouched.',
  })
}

function damaged(key: string): StoreError {
  return new StoreError('get', `The record of ${recordLabel(key)} is damaged.`, {
    reason: 'unusable_record',
    remedy:
      'Nothing was deleted. Restore the file from a backup, or log in again to replace the record.',
  })
}

function unreadable(path: string, why: string): StoreError {
  return new StoreError('get', `The file ${path} cannot be read (${why}).`, {
    reason: 'unusable_record',
    remedy: 'Nothing was deleted. Restore the file from a backup, or remove it.',
  })
}
