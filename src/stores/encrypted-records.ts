/**
 * Records as encrypted files in one folder.
 *
 * @module
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { CredentialRecord } from '../credential.ts'
import { isCredentialError, recordLabel, StoreError } from '../errors.ts'
import { privateDirectory } from './directory.ts'
import type { Envelope } from './envelope.ts'
import type { LocalLock } from './local-lock.ts'

/** Milliseconds after which a temporary file belongs to a writer that died. */
const staleMs = 3_600_000

/** The records in a folder, and the keys that they are encrypted with. */
export class EncryptedRecords {
  readonly #directory: string
  #current: Envelope
  /** The keys that records may still have, after a change of the key that was interrupted. */
  #former: readonly Envelope[] = []
  #ready: Promise<void> | undefined

  constructor(directory: string, envelope: Envelope) {
    this.#directory = directory
    this.#current = envelope
  }

  /** Makes the folder before its first use. */
  prepare(): Promise<void> {
    this.#ready ??= openFolder(this.#directory).catch((error: unknown) => {
      this.#ready = undefined
      throw error
    })
    return this.#ready
  }

  /** @throws `StoreError` when the file cannot be read, or opens with none of the keys. */
  async read(key: string): Promise<CredentialRecord | undefined> {
    const file = await readEntry(join(this.#directory, fileName(key)))
    if (file === undefined) return undefined
    if (file.key !== key) throw damaged(recordLabel(key))
    let failure: unknown
    for (const envelope of [this.#current, ...this.#former]) {
      try {
        return await envelope.open(key, file.envelope)
      } catch (error) {
        failure ??= error
      }
    }
    throw failure
  }

  async write(key: string, record: CredentialRecord): Promise<void> {
    await this.#write(key, record, this.#current)
  }

  /** @returns `false` when there was no record. */
  async delete(key: string): Promise<boolean> {
    try {
      await unlink(join(this.#directory, fileName(key)))
      await syncFolder(this.#directory)
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw failed('delete', recordLabel(key), error)
    }
  }

  async list(): Promise<string[]> {
    const directory = this.#directory
    const all = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw failed('list', `of ${directory}`, error)
    })
    const names = all.filter((entry) => entry.endsWith('.json'))
    const entries = await Promise.all(names.map((entry) => readEntry(join(directory, entry))))
    return entries.flatMap((entry) => (entry === undefined ? [] : [entry.key])).sort()
  }

  /** Encrypts all records again; new ones are written with the next key from the start. */
  async rekey(next: Envelope, locks: LocalLock): Promise<void> {
    this.#former = [this.#current, ...this.#former]
    this.#current = next
    for (const key of await this.list()) {
      await locks.run(key, async () => {
        const record = await this.read(key)
        if (record !== undefined) await this.#write(key, record, next)
      })
    }
    this.#former = []
  }

  async #write(key: string, record: CredentialRecord, envelope: Envelope): Promise<void> {
    const text = JSON.stringify({ key, envelope: await envelope.seal(key, record) })
    await replaceFile(this.#directory, fileName(key), text)
  }
}

/** A readable file name without a secret, and different for each key. */
function fileName(key: string): string {
  const readable = recordLabel(key)
    .replace(/^https?:\/\//, '')
    .replace(/[^A-Za-z0-9.-]+/g, '_')
    .slice(0, 80)
  const hash = createHash('sha256').update(key).digest('hex').slice(0, 16)
  return `${readable}-${hash}.json`
}

async function openFolder(directory: string): Promise<void> {
  await privateDirectory(directory)
  // Left by writers that died before they could rename; a younger file may still be in use.
  const names = await readdir(directory)
  const old = names.filter((entry) => {
    const time = /\.(\d+)-[0-9a-f-]{36}\.tmp$/.exec(entry)?.[1]
    return time !== undefined && Date.now() - Number(time) > staleMs
  })
  await Promise.all(old.map((entry) => unlink(join(directory, entry)).catch(() => {})))
}

interface Entry {
  readonly key: string
  readonly envelope: string
}

async function readEntry(path: string): Promise<Entry | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw failed('get', path, error)
  }
  try {
    const { key, envelope } = JSON.parse(text) as Partial<Entry>
    if (typeof key === 'string' && typeof envelope === 'string') return { key, envelope }
  } catch {
    // Reported below.
  }
  throw damaged(path)
}

/** Replaces a file atomically: a reader sees the old file or the new one, also after a power failure. */
async function replaceFile(directory: string, file: string, text: string): Promise<void> {
  const path = join(directory, file)
  const temporary = `${path}.${Date.now()}-${randomUUID()}.tmp`
  let handle: FileHandle | undefined
  try {
    handle = await open(temporary, 'wx', 0o600)
    await handle.writeFile(text)
    await handle.sync()
    await handle.close()
    handle = undefined
    await rename(temporary, path)
    await syncFolder(directory)
  } catch (error) {
    await handle?.close().catch(() => {})
    await unlink(temporary).catch(() => {})
    throw failed('set', file, error)
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

function failed(
  operation: 'get' | 'set' | 'delete' | 'list',
  what: string,
  error: unknown,
): unknown {
  if (isCredentialError(error)) return error
  const { code = 'unknown' } = error as NodeJS.ErrnoException
  const verb = { get: 'read', set: 'written', delete: 'deleted', list: 'listed' }[operation]
  return new StoreError(operation, `The record ${what} could not be ${verb} (${code}).`, {
    retryable: true,
    remedy:
      code === 'ENOSPC'
        ? 'Free some space; stored records are untouched.'
        : 'Check the folder and its permissions; stored records are untouched.',
  })
}

function damaged(what: string): StoreError {
  return new StoreError('get', `The record ${what} is damaged.`, {
    remedy: 'Nothing was deleted. Restore the file from a backup, or delete it and log in again.',
  })
}
