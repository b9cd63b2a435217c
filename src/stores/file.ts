/**
 * A store of encrypted files, for machines without a keychain.
 *
 * @module mcp-credentials/file
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { ConfigurationError, isCredentialError, recordLabel, StoreError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { dataDirectory, privateDirectory } from './directory.ts'
import { checkEncryption, type EncryptionOptions, type Envelope, makeEnvelope } from './envelope.ts'
import { localLock } from './local-lock.ts'
import { checkKey } from './record.ts'

export type { EncryptionOptions } from './envelope.ts'

/** Options of {@link encryptedFileStore}. */
export type EncryptedFileStoreOptions = EncryptionOptions & {
  /** The folder. Default: `mcp-credentials` in the platform's folder for application data. */
  readonly directory?: string
  /** Seconds to wait for the lock of a record, at most. Default 15. */
  readonly lockTimeout?: number
}

/** A store of encrypted files. */
export interface EncryptedFileStore extends CredentialStore {
  /**
   * Encrypts all records anew. If it is interrupted, run it again: records of the old key and of the new
   * one may stand side by side meanwhile, and both open.
   *
   * @throws `StoreError` when a record opens with neither key; it is left as it is.
   */
  rekey(next: EncryptionOptions): Promise<void>
}

const name = 'encryptedFileStore'
const known: readonly string[] = ['key', 'passphrase', 'directory', 'lockTimeout']
const staleMs = 3_600_000

/**
 * Keeps each record in a file of its own, encrypted with AES-256-GCM, readable by the owner alone and
 * replaced whole or not at all. Processes on one machine share it through a lock of the kernel.
 *
 * @example
 * ```ts
 * import { authorizedFetch, env } from 'mcp-credentials'
 * import { encryptedFileStore } from 'mcp-credentials/file'
 * import { authorizationCode } from 'mcp-credentials/oauth'
 *
 * const fetch = authorizedFetch(authorizationCode(), {
 *   resource: 'https://mcp.example.com/mcp',
 *   store: encryptedFileStore({ key: env('MCP_STORE_KEY') }),
 * })
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong. Its methods throw `StoreError` when the folder
 * cannot be used, or a record cannot be decrypted; nothing is deleted then.
 */
export function encryptedFileStore(options: EncryptedFileStoreOptions): EncryptedFileStore {
  checkFileOptions(options)
  const { directory = dataDirectory(), lockTimeout = 15 } = options
  let current = makeEnvelope(name, options)
  /** What records may still be sealed with, after a change of the key that did not come to its end. */
  let former: readonly Envelope[] = []
  const locks = localLock({ directory: join(directory, 'locks'), timeout: lockTimeout })
  let ready: Promise<void> | undefined
  const prepare = () => {
    ready ??= openFolder(directory).catch((error: unknown) => {
      ready = undefined
      throw error
    })
    return ready
  }

  const read = async (key: string): Promise<CredentialRecord | undefined> => {
    const file = await readEntry(join(directory, fileName(key)))
    if (file === undefined) return undefined
    if (file.key !== key) throw damaged(recordLabel(key))
    let failure: unknown
    for (const envelope of [current, ...former]) {
      try {
        return await envelope.open(key, file.envelope)
      } catch (error) {
        failure ??= error
      }
    }
    throw failure
  }
  const write = async (key: string, record: CredentialRecord, envelope: Envelope) => {
    const text = JSON.stringify({ key, envelope: await envelope.seal(key, record) })
    await replaceFile(directory, fileName(key), text)
  }
  const list = async (): Promise<string[]> => {
    const all = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw failed('list', `of ${directory}`, error)
    })
    const names = all.filter((entry) => entry.endsWith('.json'))
    const entries = await Promise.all(names.map((entry) => readEntry(join(directory, entry))))
    return entries.flatMap((entry) => (entry === undefined ? [] : [entry.key])).sort()
  }

  return {
    async get(key) {
      await prepare()
      return read(key)
    },
    async set(key, record) {
      checkKey(key)
      await prepare()
      await write(key, record, current)
    },
    async delete(key) {
      await prepare()
      try {
        await unlink(join(directory, fileName(key)))
        await syncFolder(directory)
        return true
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
        throw failed('delete', recordLabel(key), error)
      }
    },
    async list() {
      await prepare()
      return list()
    },
    async lock(key, task, signal) {
      await prepare()
      return locks.run(key, task, signal)
    },
    async rekey(next) {
      checkEncryption(name, next)
      await prepare()
      const target = makeEnvelope(name, next)
      former = [current, ...former]
      current = target
      for (const key of await list()) {
        await locks.run(key, async () => {
          const record = await read(key)
          if (record !== undefined) await write(key, record, target)
        })
      }
      former = []
    },
  }
}

function checkFileOptions(options: EncryptedFileStoreOptions): void {
  checkOptions(name, options, known)
  checkEncryption(name, options)
  const { directory, lockTimeout } = options
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw new ConfigurationError(`${name}.directory`, `${name}.directory must be a path.`)
  }
  if (lockTimeout !== undefined && !(lockTimeout > 0)) {
    throw new ConfigurationError(
      `${name}.lockTimeout`,
      `${name}.lockTimeout must be a positive number of seconds.`,
    )
  }
}

/** A name that a person recognises, that holds no secret, and that no two keys share. */
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
  // What a writer left that died before it could rename; younger ones may still be at work.
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

/** Whoever reads sees the old file or the new one, also after a loss of power. */
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
        ? 'Free some space; what was stored before is untouched.'
        : 'Check the folder and its permissions; what was stored before is untouched.',
  })
}

function damaged(what: string): StoreError {
  return new StoreError('get', `The record ${what} is damaged.`, {
    remedy: 'Nothing was deleted. Restore the file from a backup, or delete it and log in again.',
  })
}
