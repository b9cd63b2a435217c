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
import { type ConfigWarning, type ReadFile, readFile } from './files.ts'
import { placesFor } from './locations.ts'
import { shown } from './problems.ts'
import type { Tools } from './provider-table.ts'
import { neededModules } from './server-provider.ts'
import { serverUrl } from './server-url.ts'
import type { LoadedServer } from './servers.ts'
import { namedFolder, workspaceOf } from './start-folder.ts'
import type { Surroundings } from './surroundings.ts'
import { type ConfigFile, judge, type TrustOption, type TrustVerdict } from './trust.ts'

/** How {@link loadConfig} works. */
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
  /** The user's home folder, as an absolute path. Default: what the system says. */
  readonly home?: string
  /** The environment variables. Default: those of the process, read when they are needed. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /**
   * Where trust in files is noted, and where logins rest, and the secrets that files refer to as `stored:NAME`.
   * Default: none; then a file that is not the user's own is not trusted.
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

/**
 * Reads the servers of the config files that MCP clients share: `mcpServers` of Claude Desktop, Claude Code, Cursor
 * and Windsurf, `servers` of VS Code, with an `auth` block of our own.
 *
 * Looks in the project, from the folder upwards to the root of its repository (`.mcp.json`, `.cursor/mcp.json`,
 * `.vscode/mcp.json`, `mcp.json`), and then where the clients keep the user's own. Of two entries with the same name,
 * one of a trusted file counts, and then the nearer one.
 *
 * A file that is not the user's own neither runs a command nor sends a secret before the user has trusted its very
 * content. Its servers are listed until then, and `credentials()` throws.
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
 * @throws `ConfigurationError` when an option is wrong, when the chosen file does not exist, and when a file is
 * broken: with file, line, column and what was expected, at most ten times.
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
    const surroundings = surroundingsOf(file, options)
    for (const entry of file.entries) {
      const { url: written } = entry
      const at = file.positionOf(entry.offset)
      const { isTrusted, path } = described
      const folder = namedFolder(entry, isTrusted, surroundings)
      const target = written === undefined ? folder : serverUrl(written, isTrusted, surroundings)
      const verdict = verdicts.get(path) ?? { isTrusted }
      servers.push({ entry, file: described, at, target, surroundings, verdict })
    }
  }
  const tools = await loadTools(servers, options)
  return makeConfig({
    files: [...files.values()],
    read: found,
    servers,
    warnings: withoutDuplicates(warnings),
    tools,
    store,
  })
}

function checkLoadOptions(options: LoadConfigOptions): void {
  checkOptions('loadConfig', options, known)
  for (const name of ['path', 'environment', 'cwd', 'home'] as const) {
    const value: unknown = options[name]
    if (value === undefined || (typeof value === 'string' && value !== '')) continue
    throw new ConfigurationError(name, `loadConfig: \`${name}\` must be a text that is not empty.`)
  }
  const { trust = 'stored', input, home } = options
  // What lies in the home folder is trusted.
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

/** Says what a file is, and whether it is trusted; a file with several scopes is judged once. */
async function describe(
  { place, content, sha256 }: ReadFile,
  files: Map<string, ConfigFile>,
  verdicts: Map<string, TrustVerdict>,
  trust: TrustOption,
  store: CredentialStore | undefined,
): Promise<ConfigFile> {
  const { path, kind, client } = place
  const known = files.get(path)
  // A file that changes meanwhile is judged anew.
  if (known?.sha256 === sha256) return known
  const file = { path, realPath: content.realPath, kind, client, sha256 }
  // What others can write is not the user's own, wherever it lies.
  const isOwn = kind === 'user' && content.isProtected
  const verdict = isOwn ? { isTrusted: true } : await judge(file, trust, store)
  verdicts.set(path, verdict)
  const described = { ...file, isTrusted: verdict.isTrusted }
  if (known === undefined) files.set(path, described)
  return described
}

function surroundingsOf(
  file: ReadFile,
  { env, home, store, input }: LoadConfigOptions,
): Surroundings {
  const answers = new Map<string, Promise<string>>()
  const ask = async (id: string): Promise<string> => {
    const { description, password = true } = file.inputs.get(id) ?? {}
    if (input !== undefined) return input(id, description, password)
    throw new ConfigurationError('input', `The input \`${shown(id)}\` has to be asked for.`, {
      remedy: 'Run it in a terminal, or pass `input` to loadConfig().',
    })
  }
  return {
    env,
    home,
    // Where the file really is: a link must not lead to programs beside it.
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

/** Loads what the trusted servers need, and nothing else: every module costs time at the start. */
async function loadTools(
  servers: readonly LoadedServer[],
  { onUserCode, onAuthorizationUrl }: LoadConfigOptions,
): Promise<Tools> {
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

/** A file that is read for several scopes says the same several times. */
function withoutDuplicates(warnings: readonly ConfigWarning[]): readonly ConfigWarning[] {
  const byText = warnings.map((warning) => [Object.values(warning).join('\n'), warning] as const)
  return [...new Map(byText).values()]
}
