/**
 * The options of a token manager, checked once.
 *
 * @module
 */
import type { CredentialProvider, CredentialStore, FetchLike } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import type { CredentialEventListener } from '../events.ts'
import { checkAccount, checkOptions } from '../options.ts'
import type { RenewalWindows } from './renewal.ts'

/**
 * The options of a {@link TokenManager}.
 *
 * @group Token manager
 */
export interface TokenManagerOptions {
  /**
   * The MCP server that the credential is for. Stored records are distinguished by the query too, in any
   * order of its parameters, because tenants can differ in the query alone. The fragment is ignored.
   */
  readonly resource: string | URL
  /** When credentials are renewed. */
  readonly renewal?: {
    /** Maximum seconds before expiry at which background renewal begins. Default 300. */
    readonly earlyWindow?: number
    /** Maximum seconds before expiry at which callers wait for a renewal. Default 10. */
    readonly hardMargin?: number
    /** Share of the early window by which renewals are spread, from 0 to 1. Default 0.3. */
    readonly jitter?: number
    /**
     * Whether to renew in time even without calls, with one timer that does not keep the process running.
     * Default `false`.
     */
    readonly keepFresh?: boolean
  }
  /** Seconds that one acquisition may take. Default 30, or 300 with an interactive login. */
  readonly acquireTimeout?: number
  /**
   * Where credentials are stored, so that other processes and later starts share them. Default: the
   * provider's {@link CredentialProvider.store}; without one they stay in memory. Credentials that are not a
   * login, such as API keys, are never stored.
   */
  readonly store?: CredentialStore
  /** Distinguishes several logins at one server. Default `default`. */
  readonly account?: string
  /** The `fetch` for the provider's own requests. Default: the platform's. */
  readonly fetch?: FetchLike
  /** The clock, in milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number
  /** A source of numbers in [0, 1), for jitter. Default: `Math.random`. */
  readonly random?: () => number
  /** Receives the events, each a `CredentialEvent` of `mcp-credentials`. */
  readonly onEvent?: CredentialEventListener
}

/** The names of the options, for the layers that pass them on. */
export const managerOptions: readonly (keyof TokenManagerOptions)[] = [
  'resource',
  'renewal',
  'acquireTimeout',
  'store',
  'account',
  'fetch',
  'now',
  'random',
  'onEvent',
]

const renewalOptions: readonly string[] = ['earlyWindow', 'hardMargin', 'jitter', 'keepFresh']

/** Checked options, with every default filled in. */
export interface ResolvedOptions {
  /** Without the query. */
  readonly resource: URL
  /** With the query. */
  readonly serverUrl: URL
  readonly windows: RenewalWindows
  readonly keepFresh: boolean
  readonly acquireTimeoutMs: number
  readonly store: CredentialStore | undefined
  readonly account: string
  readonly fetch: FetchLike
  readonly now: () => number
  readonly random: () => number
  readonly onEvent: CredentialEventListener | undefined
}

/**
 * Checks the options of a manager.
 *
 * @throws {@link ConfigurationError} that names the option.
 */
export function resolveOptions(
  provider: CredentialProvider,
  options: TokenManagerOptions,
): ResolvedOptions {
  checkProvider(provider)
  checkOptions('TokenManager', options, managerOptions)
  const { renewal = {}, account = 'default', store = provider.store, acquireTimeout } = options
  checkAccount(account)
  checkStore('store', options.store)
  checkStore('provider.store', provider.store)
  const { fetch: send, onEvent } = options
  checkFunction('fetch', send)
  checkFunction('now', options.now)
  checkFunction('random', options.random)
  checkFunction('onEvent', onEvent)
  const serverUrl = checkedServer(options.resource)
  return {
    resource: withoutQuery(serverUrl),
    serverUrl,
    windows: resolveWindows(renewal),
    keepFresh: renewal.keepFresh ?? false,
    acquireTimeoutMs:
      1000 * seconds('acquireTimeout', acquireTimeout, provider.interactive === true ? 300 : 30),
    store,
    account,
    fetch: send ?? ((input, init) => fetch(input, init)),
    now: options.now ?? Date.now,
    random: options.random ?? Math.random,
    onEvent,
  }
}

function resolveWindows(renewal: NonNullable<TokenManagerOptions['renewal']>): RenewalWindows {
  checkOptions('renewal', renewal, renewalOptions)
  const { keepFresh = false } = renewal
  if (typeof keepFresh !== 'boolean') {
    throw new ConfigurationError(
      'renewal.keepFresh',
      '`renewal.keepFresh` must be `true` or `false`.',
    )
  }
  const windows = {
    earlyWindow: seconds('renewal.earlyWindow', renewal.earlyWindow, 300),
    hardMargin: seconds('renewal.hardMargin', renewal.hardMargin, 10),
    jitter: renewal.jitter ?? 0.3,
  }
  if (!(windows.jitter >= 0 && windows.jitter <= 1)) {
    throw new ConfigurationError('renewal.jitter', '`renewal.jitter` must be a number from 0 to 1.')
  }
  if (windows.hardMargin >= windows.earlyWindow) {
    throw new ConfigurationError(
      'renewal.hardMargin',
      '`renewal.hardMargin` (10 by default) must be smaller than `renewal.earlyWindow`; set both.',
    )
  }
  return windows
}

function checkStore(option: string, store: CredentialStore | undefined): void {
  const methods = ['get', 'set', 'delete', 'list', 'lock'] as const
  const missing = methods.find((name) => typeof store?.[name as never] !== 'function')
  if (store === undefined || missing === undefined) return
  throw new ConfigurationError(
    option,
    `\`${option}\` has no function \`${missing}\`; pass what keychainStore({ service }), encryptedFileStore(), redisStore() or postgresStore() returns.`,
  )
}

function checkFunction(option: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return
  throw new ConfigurationError(option, `\`${option}\` must be a function.`)
}

function checkProvider(provider: CredentialProvider): void {
  if (typeof provider?.acquire !== 'function' || typeof provider.name !== 'string') {
    throw new ConfigurationError(
      'provider',
      'The provider must be an object with `name` and `acquire`; pass what apiKey(), bearer() or custom() returns.',
    )
  }
  checkFunction('provider.refused', provider.refused)
  const { maxResends = 1, alternatives = 1 } = provider
  if (!(Number.isInteger(alternatives) && alternatives >= 1 && alternatives <= 100)) {
    throw new ConfigurationError(
      'provider.alternatives',
      `${provider.name}: \`alternatives\` must be an integer from 1 to 100.`,
    )
  }
  if (Number.isInteger(maxResends) && maxResends >= 1 && maxResends <= 5) return
  throw new ConfigurationError(
    'provider.maxResends',
    `${provider.name}: \`maxResends\` must be an integer from 1 to 5.`,
  )
}

/** The resource identifier that is sent to authorization servers. */
function withoutQuery(serverUrl: URL): URL {
  const url = new URL(serverUrl)
  url.search = ''
  return url
}

/** The URL of a server: no fragment, no user information. */
function checkedServer(resource: string | URL): URL {
  const text = String(resource)
  if (!URL.canParse(text)) {
    throw new ConfigurationError(
      'resource',
      '`resource` is not a URL; pass that of the MCP server, beginning with https://.',
    )
  }
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new ConfigurationError(
      'resource',
      '`resource` must begin with https://, or http:// on this machine.',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(
      'resource',
      '`resource` must not contain a user name or password; use basic() for them.',
    )
  }
  url.hash = ''
  return url
}

function seconds(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (Number.isFinite(value) && value > 0) return value
  throw new ConfigurationError(option, `\`${option}\` must be a positive number of seconds.`)
}
