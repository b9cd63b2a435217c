/**
 * A store of encrypted files, for machines without a keychain.
 *
 * @module mcp-credentials/file
 */
import { join } from 'node:path'
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { dataDirectory } from './directory.ts'
import { EncryptedRecords } from './encrypted-records.ts'
import { checkEncryption, type EncryptionOptions, makeEnvelope } from './envelope.ts'
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
   * Encrypts all records again with another key. If it is interrupted, run it again: until it has ended,
   * some records have the old key and others the new one, and both open.
   *
   * @throws `StoreError` when a record opens with neither key; it is left as it is.
   */
  rekey(next: EncryptionOptions): Promise<void>
}

const name = 'encryptedFileStore'
const known: readonly string[] = ['key', 'passphrase', 'directory', 'lockTimeout']

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
  const records = new EncryptedRecords(directory, makeEnvelope(name, options))
  const locks = localLock({ directory: join(directory, 'locks'), timeout: lockTimeout })
  return {
    async get(key) {
      await records.prepare()
      return records.read(key)
    },
    async set(key, record) {
      checkKey(key)
      await records.prepare()
      await records.write(key, record)
    },
    async delete(key) {
      await records.prepare()
      return records.delete(key)
    },
    async list() {
      await records.prepare()
      return records.list()
    },
    async lock(key, task, signal) {
      await records.prepare()
      return locks.run(key, task, signal)
    },
    async rekey(next) {
      checkEncryption(name, next)
      await records.prepare()
      await records.rekey(makeEnvelope(name, next), locks)
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
