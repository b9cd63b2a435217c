/**
 * Determines which files may run commands and send secrets: the user's own, and files whose exact content
 * the user trusts.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError, isCredentialError, StoreError } from '../errors.ts'
import { quoted } from './problems.ts'

/** A config file that was read. */
export interface ConfigFile {
  /** The path at which it was found. */
  readonly path: string
  /**
   * The path with links resolved. Relative commands and folders in the file are resolved against its
   * folder.
   */
  readonly realPath: string
  /**
   * `chosen`: named by the application or the user; `project`: part of the project; `user`: the user file
   * of a client.
   */
  readonly kind: 'chosen' | 'project' | 'user'
  /** The client that uses the file, such as `Claude Code`. */
  readonly client: string
  /** The SHA-256 of its path and content, in hex. */
  readonly sha256: string
  /** Whether it may run commands and send secrets. */
  readonly isTrusted: boolean
}

/** Which files are trusted: those recorded in the store, or those that a function accepts. */
export type TrustOption =
  | 'stored'
  | ((file: Omit<ConfigFile, 'isTrusted'>) => boolean | Promise<boolean>)

/** Whether a file is trusted, or why that is not known. */
export interface TrustVerdict {
  readonly isTrusted: boolean
  /** The error of the store, if it could not be read. */
  readonly failure?: StoreError
  /** Whether other content of the file was trusted before. */
  readonly hasChanged?: boolean
}

const provider = 'trustedConfig'

function keyOf(realPath: string): string {
  return `trusted config | ${realPath}`
}

/**
 * Checks whether a file that is not the user's own is trusted.
 *
 * @throws The error of the application's function.
 */
export async function checkTrust(
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
 * Records that the user trusts the content of a file.
 *
 * @throws {@link ConfigurationError} when there is no store; {@link StoreError} when it cannot be used.
 */
export async function recordTrust(
  realPath: string,
  sha256: string,
  store: CredentialStore | undefined,
): Promise<void> {
  if (store === undefined) {
    throw new ConfigurationError('store', 'Trust in a config file requires a store.', {
      remedy: 'Pass `store: defaultStore()` to loadConfig().',
    })
  }
  await store.set(keyOf(realPath), { version: 1, provider, data: { sha256 } })
}

/** The error for a file that is not trusted. */
export function untrustedError(path: string, { failure, hasChanged }: TrustVerdict): Error {
  if (failure !== undefined) {
    const { message, operation, retryable } = failure
    const text = `It is not known whether ${path} is trusted: ${message}`
    return new StoreError(operation, text, { retryable })
  }
  const problem =
    hasChanged === true ? 'has changed since it was trusted' : 'has not been trusted yet'
  return new ConfigurationError(
    'config',
    `${path} ${problem}: it may not run commands or send secrets.`,
    { remedy: `Review it, and run \`npx mcp-credentials trust ${quoted(path)}\`.` },
  )
}
