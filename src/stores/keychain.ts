/**
 * A store in the keychain of the operating system.
 *
 * @example
 * ```ts
 * import { keychainStore } from 'mcp-credentials/keychain'
 *
 * const store = keychainStore({ service: 'my-agent' })
 * ```
 *
 * @module mcp-credentials/keychain
 * @group API: Stores
 */
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkOptions, checkSeconds } from '../options.ts'
import { describedAs } from '../secret.ts'
import {
  type KeychainBackend,
  type KeychainEntry,
  limitedBackend,
  systemBackend,
} from './keychain-backend.ts'
import { KeychainRecords } from './keychain-records.ts'
import { localLock } from './local-lock.ts'
import { dataDirectory } from './user-folders.ts'

export type { KeychainBackend, KeychainEntry } from './keychain-backend.ts'

/** Options of {@link keychainStore}. */
export interface KeychainStoreOptions {
  /**
   * The name of your application, under which the keychain app shows the entries. Stores with the same name
   * share their logins, in all programs; with different names they share none.
   */
  readonly service: string
  /** Seconds that one call may take, including the time in which the user unlocks the keychain. Default 20; at most 600. */
  readonly timeout?: number
  /** Seconds to wait for the lock of a record, at most. Default 15; at most 600. */
  readonly lockTimeout?: number
  /** Characters that one entry can hold; longer records are split. Default 1200 on Windows, else no limit. */
  readonly maxLength?: number
  /**
   * Another keychain, in the shape of `keytar`: your own copy of it, or {@link napiKeyring}. It runs in this
   * process. The default runs in a separate process, so that a call that hangs can be aborted, except in
   * single executables, Electron, Bun and Deno, whose executable may be the application.
   */
  readonly backend?: KeychainBackend
  /** The folder of the locks. Default: in the platform's folder for application data. */
  readonly directory?: string
}

const name = 'keychainStore'
const knownOptions: readonly string[] = [
  'service',
  'timeout',
  'lockTimeout',
  'maxLength',
  'backend',
  'directory',
]

/**
 * Stores records in the keychain: Keychain on macOS, Credential Manager on Windows, the Secret Service
 * (GNOME Keyring, KWallet) on Linux. The keychain app shows them under `service`, each with the server's
 * URL. Processes on one machine share the store through a file lock of the kernel.
 *
 * On Linux it needs `libsecret-1-0`.
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'mcp-credentials'
 * import { keychainStore } from 'mcp-credentials/keychain'
 * import { authorizationCode } from 'mcp-credentials/oauth'
 *
 * const fetch = authorizedFetch(authorizationCode(), {
 *   resource: 'https://mcp.example.com/mcp',
 *   store: keychainStore({ service: 'my-agent' }),
 * })
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid. Its methods throw `StoreError` when the keychain is
 * locked, missing or does not respond in time; stored records are then unchanged.
 */
export function keychainStore(options: KeychainStoreOptions): CredentialStore {
  checkKeychainOptions(options)
  const { service, timeout = 20, lockTimeout = 15 } = options
  const limit = options.maxLength ?? (process.platform === 'win32' ? 1200 : Infinity)
  const keychain =
    options.backend === undefined
      ? systemBackend(timeout)
      : limitedBackend(options.backend, timeout)
  // Applications that share no records do not wait for each other's locks.
  const folder = createHash('sha256').update(service).digest('hex').slice(0, 32)
  const directory = resolve(options.directory ?? join(dataDirectory(), 'locks'), folder)
  const locks = localLock({ directory, timeout: lockTimeout })

  const records = new KeychainRecords(keychain, service, limit)
  return {
    get: (key) => records.get(key),
    set: (key, record) => records.set(key, record, locks.permit('set', key)),
    delete: (key) => records.delete(key, locks.permit('delete', key)),
    list: () => records.list(),
    lock: (key, task, signal) =>
      locks.run(
        key,
        async (lease) => {
          await records.removeOrphans(key)
          return task(lease)
        },
        signal,
      ),
  }
}

/**
 * The package `@napi-rs/keyring` as a backend of {@link keychainStore}. On Linux it is bound to the Secret
 * Service: its default would fall back to the kernel's keyring, which is empty after a restart. On Linux
 * its entries have different names from those of `keytar`, so neither reads the entries of the other.
 *
 * @example
 * ```ts
 * import * as keyring from '@napi-rs/keyring'
 * import { keychainStore, napiKeyring } from 'mcp-credentials/keychain'
 *
 * const store = keychainStore({ service: 'my-agent', backend: napiKeyring(keyring) })
 * ```
 */
export function napiKeyring(module: {
  /** The class of entries; its last argument chooses the store on Linux. */
  readonly AsyncEntry: {
    /** The last argument chooses the store on Linux. */
    new (
      service: string,
      username: string,
      options: never,
    ): {
      /** Reads the password; nothing when there is none. */
      getPassword(): Promise<string | null | undefined>
      /** Writes the password. */
      setPassword(password: string): Promise<void>
      /** Deletes the entry; `false` when there was none. */
      deletePassword(): Promise<boolean>
    }
  }
  /** All entries of a service. */
  readonly findCredentialsAsync: (service: string) => Promise<readonly KeychainEntry[]>
}): KeychainBackend {
  const entry = (service: string, account: string) =>
    new module.AsyncEntry(service, account, { linux: { store: 'secret-service' } } as never)
  return {
    getPassword: async (service, account) => (await entry(service, account).getPassword()) ?? null,
    setPassword: async (service, account, password) =>
      entry(service, account).setPassword(password),
    deletePassword: async (service, account) => entry(service, account).deletePassword(),
    findCredentials: async (service) => module.findCredentialsAsync(service),
  }
}

/**
 * Reads a secret from an entry of the keychain each time it is needed.
 *
 * @param service - The name of the service, as the keychain app shows it.
 * @param account - The name of the account.
 * @returns A source that throws `CredentialError` with the code `secret_unavailable` when there is no such
 * entry, and `StoreError` when the keychain cannot be read.
 * @throws `ConfigurationError` when a name is empty, or an option is invalid.
 *
 * @example
 * ```ts
 * import { apiKey } from 'mcp-credentials'
 * import { keychainEntry } from 'mcp-credentials/keychain'
 *
 * const provider = apiKey({ value: keychainEntry('my-agent', 'mcp.example.com') })
 * ```
 */
export function keychainEntry(
  service: string,
  account: string,
  options: {
    /** Another keychain, in the shape of `keytar`. */
    readonly backend?: KeychainBackend
    /** Seconds that reading may take, including the time to unlock the keychain. Default 20; at most 600. */
    readonly timeout?: number
  } = {},
): () => Promise<string> {
  checkOptions('keychainEntry', options, ['backend', 'timeout'])
  for (const [option, value] of Object.entries({ service, account })) {
    if (typeof value === 'string' && value !== '') continue
    throw new ConfigurationError(option, `keychainEntry: pass the name of the ${option}.`)
  }
  const { backend, timeout = 20 } = options
  checkSeconds('keychainEntry', { timeout })
  checkBackend('keychainEntry', backend)
  const keychain = backend === undefined ? systemBackend(timeout) : limitedBackend(backend, timeout)
  return describedAs(`keychainEntry('${service}', '${account}')`, async () => {
    const secret = await keychain.getPassword(service, account)
    if (secret !== null && secret !== '') return secret
    throw new CredentialError(
      'secret_unavailable',
      `The keychain has no entry ${account} of ${service}, or it is locked.`,
      { retryable: true, remedy: 'Add it in the keychain app, or unlock the keychain.' },
    )
  })
}

function checkKeychainOptions(options: KeychainStoreOptions): void {
  const hint =
    'pass `service`, the name of your application; only stores with the same name share logins.'
  if (options === undefined) throw new ConfigurationError(`${name}.service`, `${name}: ${hint}`)
  checkOptions(name, options, knownOptions)
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
  }
  const { service, timeout, lockTimeout, maxLength, backend, directory } = options
  if (typeof service !== 'string' || service === '') fail('service', `is missing: ${hint}`)
  checkSeconds(name, { timeout, lockTimeout })
  if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 100)) {
    fail('maxLength', 'must be a whole number of characters, at least 100.')
  }
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    fail('directory', 'must be a path.')
  }
  checkBackend(name, backend)
}

function checkBackend(where: string, backend: KeychainBackend | undefined): void {
  if (backend === undefined) return
  const methods = ['getPassword', 'setPassword', 'deletePassword', 'findCredentials'] as const
  const missing = methods.find((method) => typeof backend?.[method] !== 'function')
  if (missing === undefined) return
  throw new ConfigurationError(
    `${where}.backend`,
    `${where}.backend has no function \`${missing}\`; pass an object in the shape of keytar.`,
  )
}
