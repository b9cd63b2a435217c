/**
 * The store of whoever does not choose one, which library and command line share.
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
 * Options of {@link defaultStore}; the command line has none of them, so it finds what was stored without.
 *
 * @group The default store
 */
export interface DefaultStoreOptions {
  /** Chooses the kind of the store. Default: what `MCP_CREDENTIALS_STORE` says; else see {@link defaultStore}. */
  readonly kind?: StoreKind
  /** The folder of the records, the locks and the choice. Default: the platform's folder for application data. */
  readonly directory?: string
  /**
   * The folder of the key that is made where none is given. Default: `keys` in the platform's folder for settings,
   * which is another one, so that a copy of the records alone is worth nothing.
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
   * Says where the records are, and why there.
   *
   * @throws `StoreError` when that cannot be decided, because the keychain is locked, say.
   */
  where(): Promise<{
    /** The kind of the store. */
    readonly kind: StoreKind
    /** The place in words, with what protects the records and what does not. */
    readonly description: string
    /** Why it is this kind. */
    readonly reason: string
  }>
  /**
   * Encrypts again, with the present key, what an earlier key has encrypted; others may use the store meanwhile.
   *
   * @param previous - Earlier keys; the one that was made here is known.
   * @returns How many records it has encrypted again.
   * @throws `ConfigurationError` when a key has not 32 bytes; `StoreError` when the records are in the keychain, or
   * some of them could not be decrypted, after all others were encrypted again.
   */
  rekey(previous?: readonly string[]): Promise<number>
}

/** The name of the entries in the keychain. */
const service = 'mcp-credentials'
const name = 'defaultStore'
const known: readonly string[] = ['kind', 'directory', 'keyDirectory', 'backend', 'timeout']

interface Settings extends Required<Pick<DefaultStoreOptions, 'directory' | 'keyDirectory'>> {
  /** What was asked for, and where. */
  readonly asked: { readonly kind: StoreKind; readonly reason: string } | undefined
  readonly key: string | undefined
  readonly keyFile: string | undefined
  readonly timeout: number
}

interface Chosen extends Awaited<ReturnType<DefaultStore['where']>> {
  readonly store: CredentialStore
  /** Absent: the store is not encrypted by us. */
  readonly rekey?: DefaultStore['rekey']
}

/** What this process uses without options; a keychain is asked once whether it is there. */
let shared: { readonly settings: string; readonly store: DefaultStore } | undefined

/**
 * The store that `auto()` and the command `mcp-credentials` use: the keychain of the operating system where there
 * is one, else encrypted files. Never plain text.
 *
 * The first process that stores something writes its choice down in the folder of the data, and all later ones keep
 * to it: a keychain that appears or goes away makes no record seem lost. Where the keychain is locked or gone that
 * was chosen, an error says so; nothing is stored elsewhere. `MCP_CREDENTIALS_STORE`, `keychain` or `file`, overrides
 * what is written down. It moves no records.
 *
 * The key of the files is that of `MCP_CREDENTIALS_KEY`, or of the file `MCP_CREDENTIALS_KEY_FILE`: 32 bytes in base64
 * or hex. Without them one is made, in a folder of its own for this user alone (mode 0600). A key that was made
 * protects the records from those who get hold of them without it, in a backup or on a disk that is shared. It does not protect them
 * from programs that run as this user, nor from whoever copies both folders; the keychain, or a key from
 * elsewhere, does more.
 *
 * @throws `ConfigurationError` when an option or one of the variables is wrong. Its methods throw `StoreError` when
 * the store cannot be used; nothing was changed then.
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
  checkOptions(name, options, known)
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
  if (isKind(kind)) return { kind, reason: `${where} says so` }
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
  /** What is stored must be found again, whatever this machine has next time. */
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
      throw new StoreError('open', 'The keychain has no key that could be replaced here.')
    },
  }
}

/** Loaded where it is needed: not where the records are files. Its process is started with the first call. */
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
    // The backend has a time limit of its own, which ends the process that hangs.
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
  return `${text} The key was made there, for this user alone: it protects the records where they are copied without it, as in a backup, but not from programs that run as this user.`
}

/** Whether there is a keychain, by a read that changes nothing. One that is locked is there. */
async function probedChoice(backend: KeychainBackend): Promise<Pick<Chosen, 'kind' | 'reason'>> {
  try {
    await backend.getPassword(service, 'mcp-credentials: is there a keychain?')
    return { kind: 'keychain', reason: 'this machine has a keychain' }
  } catch (error) {
    if (!isMissing(error)) throw withoutKeychain(error, 'it may be that this machine has one')
    return { kind: 'file', reason: `there is no keychain: ${sentenceOf(error)}` }
  }
}

function isMissing(error: unknown): error is StoreError {
  return isCredentialError(error, 'store') && error.reason === 'no_keychain'
}

/** The message without the remedy, which names functions where variables are meant. */
function sentenceOf({ message, remedy = '' }: StoreError): string {
  return message.endsWith(remedy)
    ? message.slice(0, message.length - remedy.length).trim()
    : message
}

/** The error of a keychain that does not answer or is gone: nothing is stored elsewhere without a word. */
function withoutKeychain(error: unknown, reason: string): unknown {
  if (!isCredentialError(error, 'store') || error.reason === 'unusable_record') return error
  const { operation, retryable, reason: why } = error
  return new StoreError(operation, `${sentenceOf(error)} It was to be used because ${reason}.`, {
    retryable,
    reason: why,
    remedy: `Unlock or start it; or set ${storeVariable}=file to keep credentials in encrypted files, where those of the keychain are not found.`,
  })
}
