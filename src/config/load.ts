/**
 * Finds and reads config files.
 *
 * @module
 */
import { dirname, isAbsolute } from 'node:path'
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { type Config, makeConfig } from './config.ts'
import type { FileContext } from './file-context.ts'
import { type ConfigWarning, type ReadFile, readFile } from './files.ts'
import { placesFor } from './locations.ts'
import { shown } from './problems.ts'
import type { Dependencies } from './provider-table.ts'
import { neededModules } from './server-provider.ts'
import { serverUrl } from './server-url.ts'
import type { LoadedServer } from './servers.ts'
import { namedFolder, workspaceOf } from './start-folder.ts'
import { type ConfigFile, checkTrust, type TrustOption, type TrustVerdict } from './trust.ts'

/** The options of {@link loadConfig}. */
export interface LoadConfigOptions {
  /**
   * The config file. Default: the environment variable `MCP_CREDENTIALS_CONFIG`; without it, the usual
   * places are searched.
   */
  readonly path?: string
  /**
   * The environment, such as `staging`: it selects the URL and `auth` of entries with `environments`.
   * Default: the environment variable `MCP_CREDENTIALS_ENV`.
   */
  readonly environment?: string
  /** The folder in which the search starts. Default: the current folder. */
  readonly cwd?: string
  /** The user's home folder, as an absolute path. Default: that of the system. */
  readonly home?: string
  /** The environment variables. Default: those of the process, read when they are needed. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * The store of trust in files, of logins, and of the secrets that files refer to as `stored:NAME`.
   * Default: none; then only the user's own files are trusted.
   */
  readonly store?: CredentialStore
  /**
   * Asks the user for the value of `${input:id}`. Each input is requested once. Default: an entry that
   * needs an input fails.
   */
  readonly input?: (
    id: string,
    description: string | undefined,
    password: boolean,
  ) => Promise<string>
  /**
   * Which files, besides the user's own, may run commands and send secrets. Default `stored`: files whose
   * exact content is recorded in `store`. A function decides for each file that is not the user's own.
   */
  readonly trust?: TrustOption
  /** Shows the code of a `deviceCode` login to the user. Required for that provider. */
  readonly onUserCode?: NonNullable<Dependencies['onUserCode']>
  /** Shows the URL of an `authorizationCode` login, instead of opening a browser. */
  readonly onAuthorizationUrl?: NonNullable<Dependencies['onAuthorizationUrl']>
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

/**
 * Reads the servers of the config files of MCP clients: `mcpServers` of Claude Desktop, Claude Code, Cursor
 * and Windsurf, and `servers` of VS Code, with this library's `auth` blocks.
 *
 * Searches the project, from the folder up to the root of its repository (`.mcp.json`, `.cursor/mcp.json`,
 * `.vscode/mcp.json`, `mcp.json`), then the clients' user files. Of two entries with the same name, one in
 * a trusted file is used, otherwise the nearer one.
 *
 * A file that is not the user's own runs no command and sends no secret until the user trusts its exact
 * content. Until then its servers are listed, and `credentials()` throws.
 *
 * @example
 * ```ts
 * import { Client } from '@modelcontextprotocol/sdk/client/index.js'
 * import { loadConfig } from 'mcp-credentials/config'
 *
 * const config = await loadConfig()
 * const client = new Client({ name: 'agent', version: '1.0.0' })
 * await config.connect('crm', client)
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid, when the chosen file does not exist, and when a
 *   file is invalid: with file, line, column and what was expected, for at most ten problems.
 */
export async function loadConfig(options: LoadConfigOptions = {}): Promise<Config> {
  checkLoadOptions(options)
  const { store, trust = 'stored' } = options
  const env = options.env ?? process.env
  const environment = options.environment ?? (env['MCP_CREDENTIALS_ENV'] || undefined)
  const found: ReadFile[] = []
  const warnings: ConfigWarning[] = []
  for (const place of await placesFor(options)) {
    const read = await readFile(place, environment)
    if (read === undefined) continue
    if ('warning' in read) warnings.push(read.warning)
    else found.push(read)
  }
  const files = new Map<string, ConfigFile>()
  const servers: LoadedServer[] = []
  const verdicts = new Map<string, TrustVerdict>()
  for (const file of found) {
    const described = await describe(file, files, verdicts, trust, store)
    warnings.push(...file.warnings)
    const fileContext = fileContextOf(file, options)
    for (const entry of file.entries) {
      const { url: written } = entry
      const at = file.positionOf(entry.offset)
      const { isTrusted, path } = described
      const folder = namedFolder(entry, isTrusted, fileContext)
      const target = written === undefined ? folder : serverUrl(written, isTrusted, fileContext)
      const verdict = verdicts.get(path) ?? { isTrusted }
      servers.push({ entry, file: described, at, target, fileContext, verdict })
    }
  }
  const dependencies = await loadDependencies(servers, options)
  return makeConfig({
    files: [...files.values()],
    read: found,
    servers,
    warnings: withoutDuplicates(warnings),
    dependencies,
    store,
  })
}

function checkLoadOptions(options: LoadConfigOptions): void {
  checkOptions('loadConfig', options, known)
  for (const name of ['path', 'environment', 'cwd', 'home'] as const) {
    const value: unknown = options[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) continue
    throw new ConfigurationError(name, `loadConfig: \`${name}\` must be a non-empty string.`)
  }
  const { trust = 'stored', input, home } = options
  // Files in the home folder are trusted.
  if (home !== undefined && !isAbsolute(home)) {
    throw new ConfigurationError('home', 'loadConfig: `home` must be an absolute path.')
  }
  if (trust !== 'stored' && typeof trust !== 'function') {
    throw new ConfigurationError('trust', "loadConfig: `trust` must be 'stored' or a function.")
  }
  if (input !== undefined && typeof input !== 'function') {
    throw new ConfigurationError('input', 'loadConfig: `input` must be a function.')
  }
}

/**
 * Describes a file, and checks whether it is trusted; a file that is read for several scopes is checked
 * once.
 */
async function describe(
  { place, content, sha256 }: ReadFile,
  files: Map<string, ConfigFile>,
  verdicts: Map<string, TrustVerdict>,
  trust: TrustOption,
  store: CredentialStore | undefined,
): Promise<ConfigFile> {
  const { path, kind, client } = place
  const known = files.get(path)
  // A file that has changed meanwhile is checked again.
  if (known?.sha256 === sha256) return known
  const file = { path, realPath: content.realPath, kind, client, sha256 }
  // A file that others can write is not the user's own, wherever it is.
  const isOwn = kind === 'user' && content.isProtected
  const verdict = isOwn ? { isTrusted: true } : await checkTrust(file, trust, store)
  verdicts.set(path, verdict)
  const described = { ...file, isTrusted: verdict.isTrusted }
  if (known === undefined) files.set(path, described)
  return described
}

function fileContextOf(
  file: ReadFile,
  { env, home, store, input }: LoadConfigOptions,
): FileContext {
  const answers = new Map<string, Promise<string>>()
  const ask = async (id: string): Promise<string> => {
    const { description, password = true } = file.inputs.get(id) ?? {}
    if (input !== undefined) return input(id, description, password)
    throw new ConfigurationError('input', `The input \`${shown(id)}\` requires the user.`, {
      remedy: 'Run the command in a terminal, or pass `input` to loadConfig().',
    })
  }
  return {
    env,
    home,
    // The resolved path: a link must not select the programs beside it.
    directory: dirname(file.content.realPath),
    workspace: workspaceOf(file.place, file.content.realPath),
    isUserFile: file.place.kind === 'user',
    store,
    ask(id) {
      const answer = answers.get(id) ?? ask(id)
      answers.set(id, answer)
      answer.catch(() => answers.delete(id))
      return answer
    },
  }
}

/** Loads only the modules that trusted servers need, because each one delays the start. */
async function loadDependencies(
  servers: readonly LoadedServer[],
  { onUserCode, onAuthorizationUrl }: LoadConfigOptions,
): Promise<Dependencies> {
  const needed = new Set(
    servers.flatMap(({ entry, file }) => (file.isTrusted ? [...neededModules(entry)] : [])),
  )
  return {
    ...(needed.has('oauth') || needed.has('workload')
      ? { oauth: await import('../oauth/index.ts') }
      : {}),
    ...(needed.has('savedLogin')
      ? { savedLogin: (await import('../oauth/saved-login.ts')).savedLogin }
      : {}),
    ...(needed.has('workload') ? { workload: await import('../auto/workload.ts') } : {}),
    ...(needed.has('aws') ? { aws: await import('../aws/index.ts') } : {}),
    ...(onUserCode === undefined ? {} : { onUserCode }),
    ...(onAuthorizationUrl === undefined ? {} : { onAuthorizationUrl }),
  }
}

/** A file that is read for several scopes repeats its warnings. */
function withoutDuplicates(warnings: readonly ConfigWarning[]): readonly ConfigWarning[] {
  const byText = warnings.map((warning) => [Object.values(warning).join('\n'), warning] as const)
  return [...new Map(byText).values()]
}
