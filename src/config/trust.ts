/**
 * Which files may run commands and send secrets: the user's own, and those whose very content the user has trusted.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError, isCredentialError, StoreError } from '../errors.ts'
import { quoted } from './problems.ts'

/** A config file that was read. */
export interface ConfigFile {
  /** Where it was found. */
  readonly path: string
  /** Where it really is: another path where a link leads to it. Relative commands and folders in it are looked for there. */
  readonly realPath: string
  /**
   * `chosen`: the application or the user named it; `project`: it lies in the project; `user`: it is the user's own,
   * in the place where a client keeps it.
   */
  readonly kind: 'chosen' | 'project' | 'user'
  /** Whose file it is, such as `Claude Code`. */
  readonly client: string
  /** The SHA-256 of its path and content, in hex. */
  readonly sha256: string
  /** Whether it may run commands and send secrets. */
  readonly isTrusted: boolean
}

/** Says which files are trusted: those noted in the store, or whatever a function says. */
export type TrustOption =
  | 'stored'
  | ((file: Omit<ConfigFile, 'isTrusted'>) => boolean | Promise<boolean>)

/** Whether a file is trusted, and why that could not be found out. */
export interface TrustVerdict {
  readonly isTrusted: boolean
  /** The store could not be read. */
  readonly failure?: StoreError
  /** Another content of it was trusted before. */
  readonly hasChanged?: boolean
}

const provider = 'trustedConfig'

function keyOf(realPath: string): string {
  return `trusted config | ${realPath}`
}

/**
 * Judges a file that is not the user's own.
 *
 * @throws Whatever the function of the application throws.
 */
export async function judge(
  file: Omit<ConfigFile, 'isTrusted'>,
  trust: TrustOption,
  store: CredentialStore | undefined,
): Promise<TrustVerdict> {
  if (trust !== 'stored') return { isTrusted: (await trust(file)) === true }
  if (store === undefined) return { isTrusted: false }
  try {
    const record = await store.get(keyOf(file.realPath))
    if (record?.provider !== provider) return { isTrusted: false }
    const isTrusted = record.data['sha256'] === file.sha256
    return { isTrusted, hasChanged: !isTrusted }
  } catch (error) {
    if (isCredentialError(error, 'store')) return { isTrusted: false, failure: error }
    return { isTrusted: false }
  }
}

/**
 * Notes that the user trusts a content.
 *
 * @throws {@link ConfigurationError} when there is no store; {@link StoreError} when it cannot be used.
 */
export async function noteTrust(
  realPath: string,
  sha256: string,
  store: CredentialStore | undefined,
): Promise<void> {
  if (store === undefined) {
    throw new ConfigurationError('store', 'Trust in a config file is kept in a store.', {
      remedy: 'Pass `store: defaultStore()` to loadConfig().',
    })
  }
  await store.set(keyOf(realPath), { version: 1, provider, data: { sha256 } })
}

/** The error of a file that nobody has trusted. */
export function untrusted(path: string, { failure, hasChanged }: TrustVerdict): Error {
  if (failure !== undefined) {
    const { message, operation, retryable } = failure
    const text = `It is not known whether ${path} is trusted: ${message}`
    return new StoreError(operation, text, { retryable })
  }
  const problem =
    hasChanged === true ? 'has changed since it was trusted' : 'has not been trusted yet'
  return new ConfigurationError(
    'config',
    `${path} ${problem}: until it is, it may not run commands or send secrets.`,
    { remedy: `Read it, and then run \`npx mcp-credentials trust ${quoted(path)}\`.` },
  )
}
