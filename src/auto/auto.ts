/**
 * A provider that finds the credential automatically.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { savedLogin } from '../oauth/saved-login.ts'
import { checkOptions } from '../options.ts'
import { defaultStore } from '../stores/default.ts'
import type { Sources } from './choice.ts'
import { configSource } from './config-source.ts'
import { type AutoProvider, autoProvider } from './provider.ts'
import { loginAtTerminal } from './terminal-login.ts'

/**
 * Options of {@link auto}.
 *
 * @group Finding a credential
 */
export interface AutoOptions {
  /**
   * The config file; `false`: no config file is read. Default: the files that `loadConfig()` of
   * `mcp-credentials/config` reads.
   */
  readonly config?: string | false
  /** The environment of the config file. Default: the environment variable `MCP_CREDENTIALS_ENV`. */
  readonly environment?: string
  /** The store of logins and keys. Default: {@link defaultStore}. */
  readonly store?: CredentialStore
  /**
   * Separates several logins at one server. Default `default`. If the options of the client include a
   * store, their `account` is used instead.
   */
  readonly account?: string
  /** Whether the user may be asked to log in at a terminal. Default `false`. */
  readonly interactive?: boolean
}

const known: readonly string[] = ['config', 'environment', 'store', 'account', 'interactive']

/**
 * Finds the credential for a server, like the application default credentials of cloud platforms. It uses
 * the first of:
 *
 * 1. the config entry whose URL has the server's origin, path and query, with its `auth` block; an entry without a
 *    query matches any query, unless another entry for the same origin and path has one;
 * 2. a login or a key in the store for this server, from `mcp-credentials login` or `set`, `saveKey()` or a login of any
 *    client with the same store;
 * 3. the workload identity of this process, if the server's entry allows it with
 *    `"auth": { "provider": "workload", … }`, see {@link workloadIdentity};
 * 4. with `interactive` and at a terminal, a login with a browser, with the client of the entry's `oauth` member if it
 *    has one.
 *
 * If there is none, one request without a credential is sent to the server. Unless it responds with 401 or
 * 403, requests are sent without a credential: many servers require none. A login or a key that is stored
 * later is used within a minute, and immediately after a 401.
 *
 * The choice is made once for each server, and again after a logout or when the chosen credential no longer
 * exists. The event `source_chosen` and `chosen()` describe it. If the chosen source fails, its error is
 * thrown: no other credential is sent instead. Secrets of the environment are sent only to servers in the
 * config.
 *
 * @throws `ConfigurationError` when an option is invalid. An acquisition throws `LoginRequiredError` with
 *   the sources that were tried when none has a credential and the server requires one or cannot be
 *   reached; `ConfigurationError` when a config file is invalid or not trusted, or its entry has several
 *   tenants; and the errors of the chosen provider.
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { auto } from 'mcp-credentials/auto'
 *
 * const options = withCredentials(auto())
 * ```
 * @group Finding a credential
 */
export function auto(options: AutoOptions = {}): AutoProvider {
  const {
    config,
    environment,
    store = defaultStore(),
    account,
    interactive = false,
  } = checked(options)
  const accountStore = account === undefined ? store : ofAccount(store, account)
  const sources: Sources = {
    saved: savedLogin(),
    config: configSource({ config, environment, store }),
    login: async (client) =>
      interactive ? loginAtTerminal(client) : { reason: 'the option `interactive` is false' },
  }
  return autoProvider(sources, accountStore, { interactive, account })
}

function checked(options: AutoOptions): AutoOptions {
  checkOptions('auto', options, known)
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`auto.${option}`, `auto.${option} ${problem}`)
  }
  const { config, environment, account, interactive } = options
  const isPath = typeof config === 'string' && config !== ''
  if (config !== undefined && config !== false && !isPath)
    fail('config', 'must be a path or false.')
  for (const [option, value] of Object.entries({ environment, account })) {
    if (value === undefined || (typeof value === 'string' && /^[^|\p{Cc}\p{Cs}]+$/u.test(value)))
      continue
    fail(option, 'must be a string without `|`.')
  }
  if (interactive !== undefined && typeof interactive !== 'boolean') {
    fail('interactive', 'must be `true` or `false`.')
  }
  return options
}

/** Maps the records of the default account to those of another account. */
function ofAccount(store: CredentialStore, account: string): CredentialStore {
  const place = (key: string) => {
    const [url, own, ...tenant] = key.split(' | ')
    const isOwn = own === 'default' && URL.canParse(url ?? '')
    return isOwn ? [url, account, ...tenant].join(' | ') : key
  }
  return {
    get: (key) => store.get(place(key)),
    set: (key, record) => store.set(place(key), record),
    delete: (key) => store.delete(place(key)),
    list: () => store.list(),
    lock: (key, task, signal) => store.lock(place(key), task, signal),
  }
}
