/**
 * A store in the keychain of the operating system.
 *
 * @module mcp-credentials/keychain
 */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError, CredentialError, recordLabel, StoreError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { dataDirectory } from './directory.ts'
import {
  hostedBackend,
  type KeychainBackend,
  type KeychainEntry,
  limitedBackend,
} from './keychain-backend.ts'
import { localLock } from './local-lock.ts'
import { checkKey, parseRecord } from './record.ts'

export type { KeychainBackend, KeychainEntry } from './keychain-backend.ts'

/** Options of {@link keychainStore}. */
export interface KeychainStoreOptions {
  /** The name under which the entries stand in the keychain app. Default `mcp-credentials`. */
  readonly service?: string
  /** Seconds that one call may take, including somebody who unlocks the keychain. Default 20. */
  readonly timeout?: number
  /** Seconds to wait for the lock of a record, at most. Default 15. */
  readonly lockTimeout?: number
  /** Characters that one entry can hold; longer records are split. Default 1200 on Windows, else no limit. */
  readonly maxLength?: number
  /**
   * Another keychain, in the shape of `keytar`: your own copy of it, or {@link napiKeyring}. It runs in
   * this process; the default runs in one of its own, so that a call that hangs can be ended.
   */
  readonly backend?: KeychainBackend
  /** The folder of the locks. Default: in the platform's folder for application data. */
  readonly directory?: string
}

const name = 'keychainStore'
const known: readonly string[] = [
  'service',
  'timeout',
  'lockTimeout',
  'maxLength',
  'backend',
  'directory',
]
/** Marks the accounts of the parts of a long record. No key contains it, for keys have no `·`. */
const partMark = ' · part '

/** The entry of a record that is split. Writing it is the moment at which the new record counts. */
interface Index {
  readonly parts: number
  readonly id: string
}

/**
 * Keeps records in the keychain: Keychain on macOS, Credential Manager on Windows, the Secret Service
 * (GNOME Keyring, KWallet) on Linux. A person finds them there under `mcp-credentials`, each with the
 * server's URL. Processes on one machine share it through a lock of the kernel.
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
 *   store: keychainStore(),
 * })
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong. Its methods throw `StoreError` when the keychain is
 * locked, missing or does not answer in time; what was stored is untouched then.
 */
export function keychainStore(options: KeychainStoreOptions = {}): CredentialStore {
  checkKeychainOptions(options)
  const { service = 'mcp-credentials', timeout = 20, lockTimeout = 15 } = options
  const limit = options.maxLength ?? (process.platform === 'win32' ? 1200 : Infinity)
  const keychain =
    options.backend === undefined
      ? hostedBackend(timeout)
      : limitedBackend(options.backend, timeout)
  const directory = options.directory ?? join(dataDirectory(), 'locks')
  const locks = localLock({ directory, timeout: lockTimeout })

  const partsOf = (key: string, { parts, id }: Index): string[] =>
    Array.from({ length: parts }, (_value, part) => `${key}${partMark}${id} ${part + 1}`)
  const removeParts = async (key: string, index: Index | undefined): Promise<void> => {
    if (index === undefined) return
    for (const account of partsOf(key, index)) await keychain.deletePassword(service, account)
  }
  /** The whole text; `undefined` when a part is missing because somebody is replacing the record. */
  const assemble = async (key: string, index: Index): Promise<string | undefined> => {
    let text = ''
    for (const account of partsOf(key, index)) {
      const part = await keychain.getPassword(service, account)
      if (part === null) return undefined
      text += part
    }
    return text
  }

  return {
    async get(key) {
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const entry = await keychain.getPassword(service, key)
        if (entry === null) {
          // Somebody may have written it just now.
          if (attempt < 2 && (await isListed(key))) continue
          await assertAbsent(key)
          return undefined
        }
        const index = indexOf(entry)
        const text = index === undefined ? entry : await assemble(key, index)
        if (text !== undefined) return parseRecord(key, text)
      }
      throw new StoreError(
        'get',
        `The record of ${recordLabel(key)} is incomplete in the keychain.`,
        {
          remedy: 'Nothing was deleted. Remove its entries in the keychain app and log in again.',
        },
      )
    },
    async set(key, record) {
      checkKey(key)
      if (key.includes(partMark))
        throw new StoreError('set', 'The key of a record must not name a part.')
      const before = indexOf((await keychain.getPassword(service, key)) ?? '')
      const text = asciiOnly(JSON.stringify(record))
      if (text.length <= limit) {
        await keychain.setPassword(service, key, text)
      } else {
        const index = { parts: Math.ceil(text.length / limit), id: randomUUID() }
        for (const [part, account] of partsOf(key, index).entries()) {
          await keychain.setPassword(service, account, text.slice(part * limit, (part + 1) * limit))
        }
        await keychain.setPassword(service, key, JSON.stringify(index))
      }
      // The record is written; parts that stay behind are swept with the next lock.
      await removeParts(key, before).catch(() => {})
    },
    async delete(key) {
      const before = indexOf((await keychain.getPassword(service, key)) ?? '')
      const existed = await keychain.deletePassword(service, key)
      await removeParts(key, before)
      return existed
    },
    async list() {
      const entries = await keychain.findCredentials(service)
      return entries.map(({ account }) => account).filter((account) => !account.includes(partMark))
    },
    lock(key, task, signal) {
      const sweepAndRun = async (lease: AbortSignal) => {
        // Where records are split, a writer that died may have left parts that nobody names.
        if (limit !== Infinity) await sweep(key)
        return task(lease)
      }
      return locks.run(key, sweepAndRun, signal)
    },
  }

  /** The Secret Service says that there is nothing also when the collection is locked. */
  async function assertAbsent(key: string): Promise<void> {
    if (!(await isListed(key))) return
    throw new StoreError('get', 'The keychain is locked, or somebody refused to unlock it.', {
      retryable: true,
      remedy: 'Unlock it and try again.',
    })
  }

  async function isListed(key: string): Promise<boolean> {
    const entries = await keychain.findCredentials(service)
    return entries.some(({ account }) => account === key)
  }

  async function sweep(key: string): Promise<void> {
    const entries = await keychain.findCredentials(service)
    const current = indexOf(entries.find(({ account }) => account === key)?.password ?? '')
    const named = new Set(current === undefined ? [] : partsOf(key, current))
    for (const { account } of entries) {
      if (!account.startsWith(`${key}${partMark}`) || named.has(account)) continue
      await keychain.deletePassword(service, account)
    }
  }
}

/**
 * The package `@napi-rs/keyring` as a backend of {@link keychainStore}. On Linux it is bound to the Secret
 * Service: by itself it would fall back to the kernel's keyring, which forgets everything at a restart.
 * There it names its entries in another way than `keytar`, so neither sees what the other has written.
 *
 * @example
 * ```ts
 * import * as keyring from '@napi-rs/keyring'
 * import { keychainStore, napiKeyring } from 'mcp-credentials/keychain'
 *
 * const store = keychainStore({ backend: napiKeyring(keyring) })
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
 * @throws `ConfigurationError` when a name is empty.
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
    /** Seconds that reading it may take, including somebody who unlocks the keychain. Default 20. */
    readonly timeout?: number
  } = {},
): () => Promise<string> {
  checkOptions('keychainEntry', options, ['backend', 'timeout'])
  for (const [option, value] of Object.entries({ service, account })) {
    if (typeof value === 'string' && value !== '') continue
    throw new ConfigurationError(option, `keychainEntry: pass the name of the ${option}.`)
  }
  const { backend, timeout = 20 } = options
  const keychain = backend === undefined ? hostedBackend(timeout) : limitedBackend(backend, timeout)
  return async () => {
    const secret = await keychain.getPassword(service, account)
    if (secret !== null && secret !== '') return secret
    throw new CredentialError(
      'secret_unavailable',
      `The keychain has no entry ${account} of ${service}, or it is locked.`,
      { retryable: true, remedy: 'Add it in the keychain app, or unlock the keychain.' },
    )
  }
}

function checkKeychainOptions(options: KeychainStoreOptions): void {
  checkOptions(name, options, known)
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
  }
  const { service, timeout, lockTimeout, maxLength, backend } = options
  if (service !== undefined && (typeof service !== 'string' || service === '')) {
    fail('service', 'must be a text.')
  }
  for (const [option, value] of Object.entries({ timeout, lockTimeout })) {
    if (value !== undefined && !(value > 0)) fail(option, 'must be a positive number of seconds.')
  }
  if (maxLength !== undefined && !(Number.isInteger(maxLength) && maxLength >= 100)) {
    fail('maxLength', 'must be a whole number of characters, at least 100.')
  }
  const methods = ['getPassword', 'setPassword', 'deletePassword', 'findCredentials'] as const
  const missing = methods.find((method) => typeof backend?.[method] !== 'function')
  if (backend !== undefined && missing !== undefined) {
    fail('backend', `has no function \`${missing}\`; pass an object in the shape of keytar.`)
  }
}

function indexOf(entry: string): Index | undefined {
  if (!entry.startsWith('{"parts":')) return undefined
  try {
    const { parts, id } = JSON.parse(entry) as Partial<Index>
    const isIndex = Number.isSafeInteger(parts) && typeof id === 'string' && Number(parts) < 10_000
    return isIndex ? { parts: Number(parts), id } : undefined
  } catch {
    return undefined
  }
}

/** JSON without characters beyond ASCII, so that a limit in bytes is one in characters. */
function asciiOnly(json: string): string {
  return json.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
