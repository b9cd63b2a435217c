/**
 * The encryption key of the default store's files.
 *
 * @module
 */
import { constants } from 'node:fs'
import { open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigurationError, describeThrown, isCredentialError, StoreError } from '../errors.ts'
import { openPrivate, privateDirectory, unusable } from './directory.ts'
import { generateKey, isEncryptionKey } from './envelope.ts'
import { localLock } from './local-lock.ts'
import { isProtectedPath } from './protected-path.ts'
import { recordName, replaceFile } from './record-files.ts'

/** The sources of the key. */
export interface KeyPlaces {
  /** The value of `MCP_CREDENTIALS_KEY`. */
  readonly key: string | undefined
  /** The value of `MCP_CREDENTIALS_KEY_FILE`: a path. */
  readonly keyFile: string | undefined
  /** The folder of the generated key. */
  readonly keyDirectory: string
  /** The folder of the records. */
  readonly records: string
  /** The folder of the locks. */
  readonly locks: string
}

/** A key for the records, read when it is needed. */
export interface FileKey {
  /** Its location, for messages. */
  readonly place: string
  /** Whether it was generated, so that other programs of this user can read it. */
  readonly isMade: boolean
  readonly read: () => Promise<string>
}

const keyName = 'store.key'
const hint = '32 random bytes in base64 or hex, as `openssl rand -base64 32` prints them'

/**
 * Checks the settings of the key.
 *
 * @throws {@link ConfigurationError} when both are given, or the key does not have 32 bytes.
 */
export function checkKeyPlaces({ key, keyFile }: Pick<KeyPlaces, 'key' | 'keyFile'>): void {
  const variable = 'MCP_CREDENTIALS_KEY'
  if (key !== undefined && keyFile !== undefined) {
    throw new ConfigurationError(variable, `Set either ${variable} or ${variable}_FILE, not both.`)
  }
  if (key !== undefined && !isEncryptionKey(key)) {
    throw new ConfigurationError(variable, `${variable} must be ${hint}.`)
  }
}

/**
 * The keys of the records: the first encrypts, all of them decrypt. A key that was generated earlier still
 * decrypts when another is set, so that no record becomes unreadable.
 */
export async function fileKeys(places: KeyPlaces): Promise<readonly [FileKey, ...FileKey[]]> {
  const made: FileKey = {
    place: join(places.keyDirectory, keyName),
    isMade: true,
    read: async () => (await readMadeKey(places)) ?? makeKey(places),
  }
  const given = givenKey(places)
  if (given === undefined) return [made]
  return (await readMadeKey(places)) === undefined ? [given] : [given, made]
}

function givenKey({ key, keyFile }: KeyPlaces): FileKey | undefined {
  if (key !== undefined) {
    return { place: 'MCP_CREDENTIALS_KEY', isMade: false, read: async () => key.trim() }
  }
  if (keyFile === undefined) return undefined
  return { place: keyFile, isMade: false, read: () => readKeyFile(keyFile) }
}

async function readKeyFile(path: string): Promise<string> {
  let text: string
  let isProtected: boolean
  try {
    text = await readRegularFile(path)
    isProtected = await isProtectedPath(path)
  } catch (error) {
    if (isCredentialError(error)) throw error
    throw new StoreError(
      'open',
      `The key file ${path} cannot be read (${describeThrown(error)}).`,
      { retryable: true, remedy: 'Check MCP_CREDENTIALS_KEY_FILE.' },
    )
  }
  // Containers are given files that all of their few users can read, but none that they can write.
  if (!isProtected) {
    throw new StoreError('open', `Other users can change the key file ${path}, or replace it.`, {
      remedy:
        'Make it, its folders and the links to it your own, with `chown` and `chmod go-w`; make a new key if others have used this machine.',
    })
  }
  if (isEncryptionKey(text)) return text.trim()
  throw new StoreError('open', `The key file ${path} does not contain a key.`, {
    remedy: `Write ${hint} into it.`,
  })
}

async function readRegularFile(path: string): Promise<string> {
  // A named pipe must not be waited for.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    if ((await handle.stat()).isFile()) return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
  throw new StoreError('open', `The key file ${path} is not a regular file.`, {
    remedy: 'Correct MCP_CREDENTIALS_KEY_FILE.',
  })
}

/** The key that was made earlier; `undefined`: there is none. */
async function readMadeKey({ keyDirectory }: KeyPlaces): Promise<string | undefined> {
  const path = join(keyDirectory, keyName)
  let text: string
  try {
    const handle = await openPrivate(path, constants.O_RDONLY)
    if (handle === undefined) return undefined
    try {
      await privateDirectory(keyDirectory)
      text = await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw unusable(keyDirectory, error)
  }
  if (isEncryptionKey(text)) return text.trim()
  throw new StoreError('open', `The key file ${path} is damaged.`, {
    remedy: 'Restore it from a backup: without it the records cannot be read.',
  })
}

/** Generates the key once, even if several processes start at the same time. */
async function makeKey(places: KeyPlaces): Promise<string> {
  const { keyDirectory, records, locks } = places
  return localLock({ directory: locks }).run('the key of the default store', async () => {
    const other = await readMadeKey(places)
    if (other !== undefined) return other
    await refuseBesideRecords(records)
    const key = generateKey()
    await privateDirectory(keyDirectory)
    try {
      await removeUnfinished(keyDirectory)
      await replaceFile(join(keyDirectory, keyName), key)
    } catch (error) {
      throw unusable(keyDirectory, error)
    }
    return key
  })
}

/** Refuses to generate a key beside existing records, which it could not decrypt. */
async function refuseBesideRecords(records: string): Promise<void> {
  const names = await readdir(records).catch(() => [])
  if (!names.some((name) => recordName.test(name))) return
  throw new StoreError(
    'open',
    `The records in ${records} were encrypted with a key that no longer exists.`,
    {
      remedy:
        'Set MCP_CREDENTIALS_KEY or MCP_CREDENTIALS_KEY_FILE to the value that was used to store them; or delete that folder, and log in again.',
    },
  )
}

/** Removes the unfinished key files of processes that ended early. The caller must hold the lock. */
async function removeUnfinished(directory: string): Promise<void> {
  const names = await readdir(directory)
  const unfinished = names.filter((name) => name.startsWith(keyName) && name.endsWith('.tmp'))
  await Promise.all(unfinished.map((name) => unlink(join(directory, name))))
}
