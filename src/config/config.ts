/**
 * What was read from config files, ready for use.
 *
 * @module
 */
import type {
  CredentialProvider,
  CredentialSelector,
  CredentialStore,
  Secret,
} from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import type { ConnectedTransport, ConnectOptions, connect } from '../mcp/connect.ts'
import type { ConfigWarning } from './files.ts'
import { nearest } from './nearest.ts'
import { problemText, shown } from './problems.ts'
import type { Tools } from './provider-table.ts'
import { serverProvider } from './server-provider.ts'
import { comparableUrl } from './server-url.ts'
import { type ConfiguredServer, describeServer, type LoadedServer, problemOf } from './servers.ts'
import { secretText } from './template.ts'
import { type ConfigFile, noteTrust, untrusted } from './trust.ts'

/** A client of either official SDK. */
export type ConfigClient = Parameters<typeof connect>[0]

/** What config files say, and what can be done with it. */
export interface Config {
  /** The files that were read, the nearest first. */
  readonly files: readonly ConfigFile[]
  /** The servers; of several entries with one name, the nearest. */
  readonly servers: readonly ConfiguredServer[]
  /** What a person should know: secrets that stand in a file, and what was left out. */
  readonly warnings: readonly ConfigWarning[]
  /**
   * The server whose URL has the origin and path of a resource; one of a trusted file before others, then the nearest.
   */
  find(resource: string | URL): ConfiguredServer | undefined
  /**
   * The server of a name.
   *
   * @throws `ConfigurationError` when there is none, with the name that was perhaps meant.
   */
  server(name: string): ConfiguredServer
  /**
   * What proves who the client is to a server: a provider, or a selector where the entry has `tenants`. Its secrets
   * go to the origin of the entry's URL and to no other: anything else fails with the code `wrong_origin`.
   *
   * @throws `ConfigurationError` when there is no such server, when it is one of stdio, when its file is not trusted,
   * with the command to type, or when an option is wrong; `StoreError` when it is not known whether it is trusted.
   */
  credentials(name: string): CredentialProvider | CredentialSelector
  /**
   * Connects a client to a server, with its credentials.
   *
   * @param client - A `Client` of `@modelcontextprotocol/sdk` (1.x) or `@modelcontextprotocol/client` (2.x).
   * @throws What `credentials()` throws, and what `connect()` of `mcp-credentials/mcp` throws.
   */
  connect(name: string, client: ConfigClient, options?: ConnectOptions): Promise<ConnectedTransport>
  /**
   * The variables of a stdio server, its secrets read. They are those of the entry and no others.
   *
   * @param options.signal - Gives up waiting, with the signal's reason.
   * @throws `ConfigurationError` when the server has a URL, its file is not trusted, or a secret stands where it
   * decides what the process runs (`PATH`, `NODE_OPTIONS`); `CredentialError` when a secret cannot be read.
   */
  environmentOf(
    name: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Record<string, string>>
  /**
   * Notes in the store that the user trusts what a file held when it was read. It counts when the file is loaded
   * again, as long as its content stays the same.
   *
   * @param file - One of `files`, or its path.
   * @throws `ConfigurationError` when there is no store, or the file was not read; `StoreError` when the store cannot
   * be used.
   */
  trust(file: string | Pick<ConfigFile, 'path'>): Promise<void>
}

/** What a config is made of. */
export interface ConfigParts {
  readonly files: readonly ConfigFile[]
  /** Where the files really are, by their paths. */
  readonly realPaths: ReadonlyMap<string, string>
  readonly servers: readonly LoadedServer[]
  readonly warnings: readonly ConfigWarning[]
  readonly tools: Tools
  readonly store: CredentialStore | undefined
}

/** Makes the object that a user gets. */
export function makeConfig(parts: ConfigParts): Config {
  const { files, servers, warnings, store } = parts
  const described = new Map(servers.map((server) => [server.entry.name, describeServer(server)]))
  const made = new Map<string, CredentialProvider | CredentialSelector>()
  const credentials = (name: string) => {
    const provider = made.get(name) ?? makeCredentials(parts, name)
    made.set(name, provider)
    return provider
  }
  return {
    files,
    servers: [...described.values()],
    warnings,
    find: (resource) => findServer([...described.values()], resource),
    server: (name) => described.get(name) ?? unknownServer(name, [...described.keys()]),
    credentials,
    async connect(name, client, options = {}) {
      const provider = credentials(name)
      const url = described.get(name)?.url ?? ''
      const { connect: open } = await import('../mcp/connect.ts')
      return open(client, url, provider, { ...(store === undefined ? {} : { store }), ...options })
    },
    environmentOf: async (name, options) => environmentOf(usable(parts, name, 'stdio'), options),
    async trust(file) {
      const path = typeof file === 'string' ? file : file.path
      const found = files.find((each) => each.path === path)
      const realPath = parts.realPaths.get(path)
      if (found === undefined || realPath === undefined) {
        const names = files.map((each) => each.path).join(', ')
        const known = names === '' ? 'none was' : `these were: ${names}`
        throw new ConfigurationError('file', `The file ${path} was not read; ${known}.`)
      }
      await noteTrust(realPath, found.sha256, store)
    },
  }
}

function findServer(
  servers: readonly ConfiguredServer[],
  resource: string | URL,
): ConfiguredServer | undefined {
  if (!URL.canParse(resource)) return undefined
  const wanted = comparableUrl(new URL(resource))
  const found = servers.filter(({ url }) => url !== undefined && comparableUrl(url) === wanted)
  return found.find(({ isTrusted }) => isTrusted) ?? found[0]
}

function unknownServer(name: string, names: readonly string[]): never {
  const meant = nearest(name, names)
  const list = names.slice(0, 10).map(shown).join(', ')
  const known = names.length === 0 ? 'No server is configured.' : `Configured are ${list}.`
  const hint = meant === undefined ? known : `Did you mean \`${shown(meant)}\`?`
  throw new ConfigurationError('name', `There is no server \`${shown(name)}\`. ${hint}`)
}

/** A server that may be used for what is asked; otherwise the reason is thrown. */
function usable({ servers }: ConfigParts, name: string, kind: 'http' | 'stdio'): LoadedServer {
  const names = servers.map(({ entry }) => entry.name)
  const found = servers.find(({ entry }) => entry.name === name) ?? unknownServer(name, names)
  const { entry, file, target, failure } = found
  if (!file.isTrusted) throw untrusted(file.path, failure)
  const fail = (problem: string): never => {
    throw new ConfigurationError(
      'config',
      `${whereIs(found)}: server \`${shown(name)}\`: ${problem}.`,
    )
  }
  if (entry.kind !== kind) {
    return kind === 'http'
      ? fail('it is started as a process and has no URL; `environmentOf` reads its secrets')
      : fail('it has a URL, and no environment; `credentials` proves who the client is')
  }
  const problem = problemOf(entry, target)
  return problem === undefined ? found : fail(problem)
}

function whereIs({ file, at }: LoadedServer): string {
  return problemText({ file: file.path, ...at, message: '' }).replace(/: $/, '')
}

function makeCredentials(
  parts: ConfigParts,
  name: string,
): CredentialProvider | CredentialSelector {
  const found = usable(parts, name, 'http')
  const { entry, target, surroundings } = found
  const url = target !== undefined && 'url' in target ? target.url : undefined
  if (url === undefined) throw new Error('A server that can be used has a URL.')
  return serverProvider({ entry, url, where: whereIs(found), surroundings, tools: parts.tools })
}

/** What is read is a secret, and obeys the rules of secrets; what stands in the file is as trusted as its command. */
async function environmentOf(
  found: LoadedServer,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Record<string, string>> {
  const { entry, surroundings } = found
  const plain: [string, string][] = []
  const secrets: [string, Secret][] = []
  for (const [name, text] of entry.env) {
    const secret = secretText(name, text, surroundings)
    if (typeof secret === 'string') plain.push([name, secret])
    else secrets.push([name, secret])
  }
  const { stdioEnvironment } = await import('../mcp/stdio-environment.ts')
  const read = await stdioEnvironment(Object.fromEntries(secrets), options).catch((error) => {
    throw isCredentialError(error, 'secret_unavailable') ? placed(error, found) : error
  })
  return { ...Object.fromEntries(plain), ...read }
}

/** The error of a secret, with the place of the entry that wants it. */
function placed(error: CredentialError, found: LoadedServer): CredentialError {
  const { code, message, retryable, retryAfter } = error
  const text = `${whereIs(found)}: server \`${shown(found.entry.name)}\`, env.${message}`
  return new CredentialError(code, text, {
    retryable,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
}
