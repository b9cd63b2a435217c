/**
 * The options of `loadConfig()`, and their checks.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import type { Tools } from './provider-table.ts'
import type { TrustOption } from './trust.ts'

/** How `loadConfig()` works. */
export interface LoadConfigOptions {
  /**
   * The config file, instead of the places where one is looked for. Default: the environment variable
   * `MCP_CREDENTIALS_CONFIG`, where it is set.
   */
  readonly path?: string
  /**
   * The environment, such as `staging`: entries with `environments` take their URL and `auth` from it. Default: the
   * environment variable `MCP_CREDENTIALS_ENV`.
   */
  readonly environment?: string
  /** The folder where the search begins. Default: that of the process. */
  readonly cwd?: string
  /** The user's home folder. Default: what the system says. */
  readonly home?: string
  /** The environment variables. Default: those of the process, read when they are needed. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * Where trust in files is noted, and where logins rest. Default: none; then a file that is not the user's own is
   * not trusted.
   */
  readonly store?: CredentialStore
  /**
   * Asks a person for what `${input:id}` stands for. Each input is asked for once. Default: nobody is asked, and
   * whoever needs one gets an error.
   */
  readonly input?: (
    id: string,
    description: string | undefined,
    password: boolean,
  ) => Promise<string>
  /**
   * Which files may run commands and send secrets besides the user's own. Default `stored`: those whose very content
   * is noted in `store`. A function decides by itself; it is not asked about the user's own files.
   */
  readonly trust?: TrustOption
  /** Shows the code of a `deviceCode` login to the user. Without it, that provider cannot be used. */
  readonly onUserCode?: NonNullable<Tools['onUserCode']>
  /** Shows the URL of an `authorizationCode` login, instead of opening a browser. */
  readonly onAuthorizationUrl?: NonNullable<Tools['onAuthorizationUrl']>
}

const known: readonly (keyof LoadConfigOptions)[] = [
  'path',
  'environment',
  'cwd',
  'home',
  'env',
  'store',
  'input',
  'trust',
  'onUserCode',
  'onAuthorizationUrl',
]

/** @throws `ConfigurationError` that names the option which is wrong. */
export function checkLoadOptions(options: LoadConfigOptions): void {
  checkOptions('loadConfig', options, known)
  for (const name of ['path', 'environment', 'cwd', 'home'] as const) {
    const value: unknown = options[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) continue
    throw new ConfigurationError(name, `loadConfig: \`${name}\` must be a text that is not empty.`)
  }
  const { trust = 'stored', input } = options
  if (trust !== 'stored' && typeof trust !== 'function') {
    throw new ConfigurationError('trust', "loadConfig: `trust` must be 'stored' or a function.")
  }
  if (input !== undefined && typeof input !== 'function') {
    throw new ConfigurationError('input', 'loadConfig: `input` must be a function.')
  }
}
