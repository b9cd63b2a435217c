/**
 * The default store, which the library and the command line share.
 *
 * @module
 */
import { join } from 'node:path'
import type { CredentialStore, Secret } from '../credential.ts'
import { ConfigurationError, isCredentialError, StoreError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkKeyPlaces, type FileKey, fileKeys } from './default-key.ts'
import { privateDirectory } from './directory.ts'
import { encryptedFileStore } from './file.ts'
import type { KeychainBackend } from './keychain-backend.ts'
import { isKind, noteChoice, notedChoice, type StoreKind, storeVariable } from './store-choice.ts'
import { configDirectory, dataDirectory } from './user-folders.ts'

export type { StoreKind } from './store-choice.ts'

/**
 * Options of {@link defaultStore}; the command line has none of them, so it finds only records that were stored
 * without them.
 * @group The default store
 */
export interface DefaultStoreOptions {
  /** Chooses the kind of the store. Default: the value of `MCP_CREDENTIALS_STORE`; else see {@link defaultStore}. */
  readonly kind?: StoreKind
  /** The folder of the records, the locks and the choice. Default: the platform's folder for application data. */
  readonly directory?: string
  /**
   * The folder of the generated key. Default: `keys` in the platform's folder for settings, which differs
   * from the folder of the records, so that a copy of the records alone cannot be decrypted.
   */
  readonly keyDirectory?: string
  /** Another keychain, in the shape of `keytar`. Default: the operating system's. */
  readonly backend?: KeychainBackend
  /** Seconds that one call of the keychain may take, including the time to unlock it. Default 20. */
  readonly timeout?: number
}

/**
 * The store of {@link defaultStore}.
 *
 * @group The default store
 */
export interface DefaultStore extends CredentialStore {
  /**
   * Returns where the records are stored, and why.
   *
   * @throws `StoreError` when that cannot be decided, for example because the keychain is locked.
   */
  where(): Promise<{
    /** The kind of the store. */
    readonly kind: StoreKind
    /** A description of the location and of its protection. */
    readonly description: string
    /** Why this kind was chosen. */
    readonly reason: string
  }>
  /**
   * Re-encrypts records of earlier keys with the current key. Other processes may use the store at the same time.
   *
   * @param previous - Earlier keys, except the generated one.
   * @returns The number of re-encrypted records.
   * @throws `ConfigurationError` when a key does not have 32 bytes; `StoreError` when the records are in the
   * keychain, or when some of them could not be decrypted, after all others were re-encrypted.
   */
  rekey(previous?: readonly string[]): Promise<number>
}

/** The name of the entries in the keychain. */
const service = 'mcp-credentials'
const name = 'defaultStore'
const knownOptions: readonly string[] = ['kind', 'directory', 'keyDirectory', 'backend', 'timeout']

interface Settings extends Required<Pick<DefaultStoreOptions, 'directory' | 'keyDirectory'>> {
  /** The requested kind, and where it was requested. */
  readonly asked: { readonly kind: StoreKind; readonly reason: string } | undefined
  readonly key: string | undefined
  readonly keyFile: string | undefined
  readonly timeout: number
}

interface Chosen extends Awaited<ReturnType<DefaultStore['where']>> {
  readonly store: CredentialStore
  /** Absent: the store is not encrypted by this library. */
  readonly rekey?: DefaultStore['rekey']
}

/** The default store of this process; the keychain is probed only once. */
let shared: { readonly settings: string; readonly store: DefaultStore } | undefined

/**
 * The store that `auto()` and the command `mcp-credentials` use: the keychain of the operating system where there
 * is one, else encrypted files. Never plain text.
 *
 * The first process that stores a record saves its choice in the data folder, and all later processes use it,
 * even if a keychain appears or disappears. When the chosen keychain is locked or missing, methods throw an
 * error; nothing is stored elsewhere. `MCP_CREDENTIALS_STORE`, `keychain` or `file`, overrides the saved
 * choice. It moves no records.
 *
 * The key of the files is that of `MCP_CREDENTIALS_KEY`, or of the file `MCP_CREDENTIALS_KEY_FILE`: 32 bytes in
 * base64 or hex. Without them one is generated, in a separate folder for this user alone (mode 0600). A generated key
 * protects the records where they are copied without it, as in a backup or on a shared disk. It does not protect them
 * from programs that run as this user, nor when both folders are copied; the keychain, or an external key, does.
 *
 * @throws `ConfigurationError` when an option or one of the variables is invalid. Its methods throw
 * `StoreError` when the store cannot be used; nothing was changed then.
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'mcp-credentials'
 * import { defaultStore } from 'mcp-credentials/auto'
 * import { savedLogin } from 'mcp-credentials/oauth'
 *
 * const store = defaultStore()
 * const fetch = authorizedFetch(savedLogin(), { resource: 'https://mcp.example.com/mcp', store })
 * ```
 * @group The default store
 */
export function defaultStore(options: DefaultStoreOptions = {}): DefaultStore {
  const settings = checkedSettings(options)
  if (Object.keys(options).length > 0) return makeStore(settings, options.backend)
  const text = JSON.stringify(settings)
  if (shared?.settings !== text) shared = { settings: text, store: makeStore(settings, undefined) }
  return shared.store
}

function checkedSettings(options: DefaultStoreOptions): Settings {
  checkOptions(name, options, knownOptions)
  const { directory = dataDirectory(), timeout = 20 } = options
  const { keyDirectory = join(configDirectory(), 'keys') } = options
  for (const [option, value] of Object.entries({ directory, keyDirectory })) {
    if (typeof value === 'string' && value !== '') continue
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} must be a path.`)
  }
  if (!(timeout > 0)) {
    const text = `${name}.timeout must be a positive number of seconds.`
    throw new ConfigurationError(`${name}.timeout`, text)
  }
  const key = set('MCP_CREDENTIALS_KEY')
  const keyFile = set('MCP_CREDENTIALS_KEY_FILE')
  checkKeyPlaces({ key, keyFile })
  return { asked: askedKind(options.kind), directory, keyDirectory, key, keyFile, timeout }
}

function set(environmentVariable: string): string | undefined {
  const value = process.env[environmentVariable]
  return value === '' ? undefined : value
}

function askedKind(option: unknown): Settings['asked'] {
  const [kind, where] =
    option === undefined ? [set(storeVariable), storeVariable] : [option, `${name}.kind`]
  if (kind === undefined) return undefined
  if (isKind(kind)) return { kind, reason: `it is set by ${where}` }
  throw new ConfigurationError(where, `${where} must be \`keychain\` or \`file\`.`)
}

function makeStore(settings: Settings, given: KeychainBackend | undefined): DefaultStore {
  const { timeout, asked, directory } = settings
  let opening: Promise<KeychainBackend> | undefined
  const backend = () => {
    opening ??= openBackend(given, timeout)
    return opening
  }
  let choosing: Promise<Chosen> | undefined
  let noting: Promise<void> | undefined
  const chosen = () => {
    choosing ??= choose(settings, backend)
    choosing.catch(() => {
      choosing = undefined
    })
    return choosing
  }
  const use = async <T>(task: (store: CredentialStore) => Promise<T>) => {
    const { kind, store, reason } = await chosen()
    try {
      return await task(store)
    } catch (error) {
      throw kind === 'keychain' ? withoutKeychain(error, reason) : error
    }
  }
  /** Saves the choice, so that stored records are found again even if the machine changes. */
  const note = async () => {
    const { kind } = await chosen()
    noting ??= noteChoice(directory, kind, asked === undefined)
    try {
      await noting
    } catch (error) {
      noting = undefined
      choosing = undefined
      throw error
    }
  }
  return {
    get: (key) => use((store) => store.get(key)),
    async set(key, record) {
      await note()
      await use((store) => store.set(key, record))
    },
    delete: (key) => use((store) => store.delete(key)),
    list: () => use((store) => store.list()),
    lock: async (key, task, signal) => {
      const { store } = await chosen()
      return store.lock(key, task, signal)
    },
    async where() {
      const { kind, description, reason } = await chosen()
      return { kind, description, reason }
    },
    async rekey(previous) {
      const { rekey } = await chosen()
      if (rekey !== undefined) return rekey(previous)
      throw new StoreError('open', 'Records in the keychain have no encryption key to replace.')
    },
  }
}

/** Loaded only when it is needed. Its process is started with the first call. */
async function openBackend(
  given: KeychainBackend | undefined,
  timeout: number,
): Promise<KeychainBackend> {
  const { limitedBackend, systemBackend } = await import('./keychain-backend.ts')
  return given === undefined ? systemBackend(timeout) : limitedBackend(given, timeout)
}

async function choose(
  settings: Settings,
  backend: () => Promise<KeychainBackend>,
): Promise<Chosen> {
  const { asked, directory, timeout } = settings
  const { kind, reason } =
    asked ?? (await notedChoice(directory)) ?? (await probedChoice(await backend()))
  if (kind === 'file') return { kind, reason, ...(await fileStore(settings)) }
  const { keychainStore } = await import('./keychain.ts')
  return {
    kind,
    reason,
    description: `The keychain of this user, under the name ${service}.`,
    // The backend has its own time limit, which ends a process that hangs.
    store: keychainStore({
      service,
      backend: await backend(),
      directory: join(directory, 'locks'),
      timeout: timeout + 1,
    }),
  }
}

async function fileStore(
  settings: Settings,
): Promise<Pick<Chosen, 'store' | 'description' | 'rekey'>> {
  const { directory } = settings
  const records = join(directory, 'records')
  const keys = await fileKeys({ ...settings, records, locks: join(directory, 'locks') })
  await privateDirectory(directory)
  const sources = keys.map(({ read }) => read)
  const open = (all: readonly Secret[]) => encryptedFileStore({ keys: all, directory: records })
  return {
    store: open(sources),
    rekey: async (previous = []) => open([...sources, ...previous]).rekey(),
    description: described(records, keys[0]),
  }
}

function described(records: string, { place, isMade }: FileKey): string {
  const text = `Encrypted files in ${records}; their key is in ${place}.`
  if (!isMade) return text
  return `${text} The key was generated for this user alone: it protects the records where they are copied without it, as in a backup, but not from programs that run as this user.`
}

/** Checks by reading whether there is a keychain. A locked one counts. */
async function probedChoice(backend: KeychainBackend): Promise<Pick<Chosen, 'kind' | 'reason'>> {
  try {
    await backend.getPassword(service, 'mcp-credentials: is there a keychain?')
    return { kind: 'keychain', reason: 'this machine has a keychain' }
  } catch (error) {
    if (!isMissing(error)) throw withoutKeychain(error, 'this machine may have one')
    return { kind: 'file', reason: `there is no keychain: ${sentenceOf(error)}` }
  }
}

function isMissing(error: unknown): error is StoreError {
  return isCredentialError(error, 'store') && error.reason === 'no_keychain'
}

/** Returns the message without the remedy, which names functions instead of variables. */
function sentenceOf({ message, remedy = '' }: StoreError): string {
  return message.endsWith(remedy)
    ? message.slice(0, message.length - remedy.length).trim()
    : message
}

/** Makes the error for a keychain that does not respond or is missing. Nothing is silently stored elsewhere. */
function withoutKeychain(error: unknown, reason: string): unknown {
  if (!isCredentialError(error, 'store') || error.reason === 'unusable_record') return error
  const { operation, retryable, reason: why } = error
  return new StoreError(operation, `${sentenceOf(error)} It is used because ${reason}.`, {
    retryable,
    reason: why,
    remedy: `Unlock or start it; or set ${storeVariable}=file to keep credentials in encrypted files; those in the keychain are then not used.`,
  })
}
