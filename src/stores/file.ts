/**
 * A store of encrypted files, for machines without a keychain.
 *
 * @example
 * ```ts
 * import { env } from 'mcp-credentials'
 * import { encryptedFileStore } from 'mcp-credentials/file'
 *
 * const store = encryptedFileStore({ key: env('MCP_STORE_KEY') })
 * ```
 *
 * @module mcp-credentials/file
 * @group API: Stores
 */
import { join, resolve } from 'node:path'
import { ConfigurationError } from '../errors.ts'
import { checkOptions, checkSeconds } from '../options.ts'
import { privateDirectory } from './directory.ts'
import { type EncryptedStore, encryptedRecords } from './encrypted-records.ts'
import { checkEncryption, type EncryptionOptions, makeEnvelope } from './envelope.ts'
import { localLock } from './local-lock.ts'
import { recordFiles } from './record-files.ts'
import { dataDirectory } from './user-folders.ts'

export type { EncryptedStore } from './encrypted-records.ts'
export { type EncryptionOptions, generateKey } from './envelope.ts'

/** Options of {@link encryptedFileStore}. */
export type EncryptedFileStoreOptions = EncryptionOptions & {
  /**
   * The folder, which must be private to this user (mode 0700); it is created with this mode where
   * it is missing. A relative path is resolved against the current working directory. Default:
   * `mcp-credentials` in the platform's folder for application data.
   */
  readonly directory?: string
  /** Maximum seconds to wait for the lock of a record. Default 15; at most 600. */
  readonly lockTimeout?: number
}

const name = 'encryptedFileStore'
const knownOptions: readonly string[] = ['key', 'keys', 'directory', 'lockTimeout']

/**
 * Stores each record in a separate file, encrypted with AES-256-GCM, readable only by its owner and replaced
 * atomically. Processes on one machine share the store through a file lock of the kernel.
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
 * @throws `ConfigurationError` when an option is invalid. Its methods throw `StoreError` when the folder
 * cannot be used or is not private to this user, or a record cannot be decrypted; nothing is deleted then.
 */
export function encryptedFileStore(options: EncryptedFileStoreOptions): EncryptedStore {
  checkFileOptions(options)
  const { lockTimeout = 15 } = options
  // Resolved once: a later `process.chdir()` must not change the folder.
  const directory = resolve(options.directory ?? dataDirectory())
  const locks = localLock({ directory: join(directory, 'locks'), timeout: lockTimeout })
  const files = recordFiles(directory, locks)
  const lock: typeof locks.run = async (key, task, signal) => {
    // The folder of the locks is created with the same permissions as its parent.
    await privateDirectory(directory)
    return locks.run(key, task, signal)
  }
  return encryptedRecords({ ...files, lock }, makeEnvelope(name, 'file', options))
}

function checkFileOptions(options: EncryptedFileStoreOptions): void {
  checkOptions(name, options, knownOptions)
  checkEncryption(name, options)
  const { directory, lockTimeout } = options
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw new ConfigurationError(`${name}.directory`, `${name}.directory must be a path.`)
  }
  checkSeconds(name, { lockTimeout })
}
