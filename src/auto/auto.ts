/**
 * One provider that finds the credential by itself.
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
  /** The config file; `false`: none is read. Default: where `loadConfig()` of `mcp-credentials/config` looks. */
  readonly config?: string | false
  /** The environment of the config file. Default: what `MCP_CREDENTIALS_ENV` says. */
  readonly environment?: string
  /** Where logins and keys are. Default: {@link defaultStore}. */
  readonly store?: CredentialStore
  /**
   * Tells several logins at one server apart. Default `default`. Where the options beside the provider name a store,
   * their `account` counts instead.
   */
  readonly account?: string
  /** Whether a person may be asked to log in, where there is a terminal. Default `false`. */
  readonly interactive?: boolean
}

const known: readonly string[] = ['config', 'environment', 'store', 'account', 'interactive']

/**
 * Finds the credential for the server that it is asked about, as the application default credentials of the clouds
 * do. The first of these that there is, is used:
 *
 * 1. the entry of the config file whose URL has the server's origin, path and query, with its `auth` block; one
 *    without a query serves any, unless another entry for the same origin and path has one;
 * 2. a login or a key that is stored for this server, by `mcp-credentials login` or `set`, `saveKey()` or any login
 *    with the same store;
 * 3. the identity that the environment gives this process, where the server's entry allows it by
 *    `"auth": { "provider": "workload", … }`, see {@link workloadIdentity};
 * 4. with `interactive`, and where there is a terminal, a person who logs in with a browser, as the client that the
 *    entry's `oauth` names, where it does.
 *
 * Where there is none of them, the server is asked once without a credential. If it answers with anything but 401 or
 * 403, requests are sent without one: many servers ask for none. A login or a key that is stored afterwards is used
 * within a minute, and at once after a 401.
 *
 * The choice is made once for each server, and again after a logout or when what was chosen is gone. The event
 * `source_chosen` and `chosen()` say which it is, and why. When what was chosen fails, its error is
 * thrown as it is: nobody else's credential is sent instead. No secret of the environment goes to a server that the
 * config does not name.
 *
 * @throws `ConfigurationError` when an option is wrong. An acquisition throws `LoginRequiredError` that lists what was
 * tried when there is nothing and the server wants a credential or cannot be asked; `ConfigurationError` when a config file is broken or not trusted, or its entry
 * has several tenants; and whatever the chosen provider throws.
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
      interactive ? loginAtTerminal(client) : { nothing: 'no person may be asked here' },
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
    fail(option, 'must be a text without `|`.')
  }
  if (interactive !== undefined && typeof interactive !== 'boolean') {
    fail('interactive', 'must be `true` or `false`.')
  }
  return options
}

/** The store of a manager without an account of its own, whose records are those of another account. */
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
