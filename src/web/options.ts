/**
 * The options of `webLogins`, and their checks.
 *
 * @module
 */
import type { CredentialStore, FetchLike, Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import type { CredentialEventListener } from '../events.ts'
import { checkLoginClient, checkLoginRedirect } from '../oauth/login-client.ts'
import type { ReturningLoginOptions } from '../oauth/pending-login.ts'
import { checkSealingKeys } from './sealed-state.ts'

/** The keys that encrypt the state of a login. */
export type SealingOptions =
  | {
      /**
       * 32 random bytes in base64 or hex, such as the output of `openssl rand -base64 32`. A string, and `env()` with a variable that is already set, are checked immediately; other sources are read at first use.
       */
      readonly key: Secret
      /** Not together with `key`. */
      readonly keys?: never
    }
  | {
      /** Several keys, for key rotation: the first encrypts, and all of them decrypt. */
      readonly keys: readonly Secret[]
      /** Not together with `keys`. */
      readonly key?: never
    }

/** Options of `webLogins`. */
export type WebLoginsOptions = ReturningLoginOptions &
  SealingOptions & {
    /** The store of logins. All processes of the application share it. */
    readonly store: CredentialStore
    /** The time limit of a login in seconds. Default 600. */
    readonly lifetime?: number
    /** The `fetch` for all requests. Default: the platform's. */
    readonly fetch?: FetchLike
    /** The clock, in milliseconds since the epoch. Default: `Date.now`. */
    readonly now?: () => number
    /** Receives the events of starting and finishing logins, as `CredentialEvent` of `mcp-credentials`. */
    readonly onEvent?: CredentialEventListener
  }

/** The name in messages and records. */
export const name = 'webLogins'
const own: readonly string[] = [
  'redirectUri',
  'key',
  'keys',
  'store',
  'lifetime',
  'fetch',
  'now',
  'onEvent',
]

/** The keys from either option. */
export function sealingKeys({ key, keys }: SealingOptions): readonly Secret[] {
  return keys ?? [key]
}

/**
 * Checks the options of `webLogins`.
 *
 * @throws {@link ConfigurationError} that names the option.
 */
export function checkWebLogins(options: WebLoginsOptions): void {
  checkLoginClient(name, options, own)
  checkLoginRedirect(`${name}.redirectUri`, options.redirectUri)
  if ((options.key === undefined) === (options.keys === undefined)) {
    throw new ConfigurationError(
      `${name}.key`,
      `${name}: pass either \`key\`, 32 random bytes (openssl rand -base64 32), or \`keys\`, the new one first.`,
    )
  }
  checkSealingKeys(options.key === undefined ? `${name}.keys` : `${name}.key`, sealingKeys(options))
  if (options.store === undefined) {
    throw new ConfigurationError(
      `${name}.store`,
      `${name}.store is missing; pass redisStore(), postgresStore() or encryptedFileStore().`,
    )
  }
  const { lifetime = 600 } = options
  if (!(lifetime >= 30 && lifetime <= 3600)) {
    throw new ConfigurationError(
      `${name}.lifetime`,
      `${name}.lifetime must be a number of seconds from 30 to 3600.`,
    )
  }
}
