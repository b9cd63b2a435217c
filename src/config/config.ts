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
import { ConfigurationError, isCredentialError } from '../errors.ts'
import type { ConnectedTransport, ConnectOptions, connect } from '../mcp/connect.ts'
import { prefixed } from '../secret.ts'
import type { ConfigWarning, ReadFile } from './files.ts'
import { serverAt, serversByName } from './find-server.ts'
import { nearest } from './nearest.ts'
import { problemText, shown } from './problems.ts'
import type { Tools } from './provider-table.ts'
import { type ReviewedServer, reviewFile } from './review.ts'
import { serverProvider } from './server-provider.ts'
import { type ConfiguredServer, describeServer, type LoadedServer, problemOf } from './servers.ts'
import { secretText } from './template.ts'
import { type ConfigFile, noteTrust, untrusted } from './trust.ts'

/** A client of either official SDK. */
export type ConfigClient = Parameters<typeof connect>[0]

/** What config files say, and what can be done with it. */
export interface Config {
  /** The files that were read, the nearest first. */
  readonly files: readonly ConfigFile[]
  /**
   * The servers; of several entries with one name, the nearest of a trusted file, or the nearest where none is
   * trusted.
   */
  readonly servers: readonly ConfiguredServer[]
  /** What a person should know: secrets that stand in a file, and what was left out. */
  readonly warnings: readonly ConfigWarning[]
  /**
   * The server whose URL has the origin and path of a resource; one of a trusted file before others, then the nearest.
   * Entries that share their name with another count as well. An entry with a query serves only a resource of that
   * query, in any order of the parameters. One without a query serves any, unless another entry for the same origin
   * and path has a query.
   *
   * @throws `ConfigurationError` when several entries fit equally well, and their credentials differ.
   */
  find(resource: string | URL): ConfiguredServer | undefined
  /**
   * The server of a name.
   *
   * @throws `ConfigurationError` when there is none, with the name that was perhaps meant.
   */
  server(name: string): ConfiguredServer
  /**
   * The server of a name, in a file that is trusted: whoever wrote the file decides where that name leads.
   *
   * @throws `ConfigurationError` when there is none, or its file is not trusted, with the command to type; `StoreError`
   * when it is not known whether it is.
   */
  trusted(name: string): ConfiguredServer
  /**
   * What proves who the client is to a server: a provider, or a selector where the entry has `tenants`. Its secrets
   * go to the origin of the entry's URL and to no other: anything else fails with the code `wrong_origin`.
   *
   * @param server - Its name, or an object that this config has returned.
   * @throws `ConfigurationError` when there is no such server, when it is one of stdio, when its file is not trusted,
   * with the command to type, or when an option is wrong; `StoreError` when it is not known whether it is trusted.
   */
  credentials(
    server: string | Pick<ConfiguredServer, 'name' | 'file'>,
  ): CredentialProvider | CredentialSelector
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
   * What a file would do if it were trusted: all its entries, as they were when the file was read, with those that
   * another one hides.
   *
   * @param file - One of `files`, or its path.
   * @throws `ConfigurationError` when the file was not read.
   */
  review(file: string | Pick<ConfigFile, 'path'>): readonly ReviewedServer[]
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
  /** What was read of the files; of a file that was read several times, the first counts. */
  readonly read: readonly ReadFile[]
  /** All entries, the nearest first. */
  readonly servers: readonly LoadedServer[]
  readonly warnings: readonly ConfigWarning[]
  readonly tools: Tools
  readonly store: CredentialStore | undefined
}

/** Makes the object that a user gets. */
export function makeConfig(parts: ConfigParts): Config {
  const { files, warnings, store } = parts
  const described = new Map(parts.servers.map((server) => [server, describeServer(server)]))
  const loaded = new Map<object, LoadedServer>(
    [...described].map(([server, each]) => [each, server]),
  )
  const describe = (server: LoadedServer) => described.get(server) ?? describeServer(server)
  const byName = serversByName(parts.servers)
  const named = (name: string) => byName.get(name) ?? unknownServer(name, [...byName.keys()])
  const made = new Map<LoadedServer, CredentialProvider | CredentialSelector>()
  const credentials: Config['credentials'] = (given) => {
    // A copy could stand for any of several entries with its name.
    const server = typeof given === 'string' ? named(given) : (loaded.get(given) ?? foreign())
    const provider = made.get(server) ?? makeCredentials(server, parts.tools)
    made.set(server, provider)
    return provider
  }
  return {
    files,
    servers: [...byName.values()].map(describe),
    warnings,
    find(resource) {
      const found = serverAt(parts.servers, resource)
      return found === undefined ? undefined : describe(found)
    },
    server: (name) => describe(named(name)),
    trusted: (name) => describe(trustedServer(named(name))),
    credentials,
    async connect(name, client, options = {}) {
      const provider = credentials(name)
      const url = describe(named(name)).url ?? ''
      const { connect: open } = await import('../mcp/connect.ts')
      return open(client, url, provider, { ...(store === undefined ? {} : { store }), ...options })
    },
    environmentOf: async (name, options) => environmentOf(usable(named(name), 'stdio'), options),
    review(file) {
      const { root, positionOf } = readOf(parts, file)
      return reviewFile(root, positionOf)
    },
    async trust(file) {
      const { content, sha256 } = readOf(parts, file)
      await noteTrust(content.realPath, sha256, store)
    },
  }
}

/** What was read of a file. */
function readOf({ read, files }: ConfigParts, file: string | Pick<ConfigFile, 'path'>): ReadFile {
  const path = typeof file === 'string' ? file : file.path
  const found = read.find((each) => each.place.path === path)
  if (found !== undefined) return found
  const names = files.map((each) => each.path).join(', ')
  const known = names === '' ? 'none was' : `these were: ${names}`
  throw new ConfigurationError('file', `The file ${path} was not read; ${known}.`)
}

function foreign(): never {
  throw new ConfigurationError('server', 'The server is not of this config.', {
    remedy: 'Pass its name, or what `find()` or `server()` has returned.',
  })
}

function unknownServer(name: string, names: readonly string[]): never {
  const meant = nearest(name, names)
  const list = names.slice(0, 10).map(shown).join(', ')
  const known = names.length === 0 ? 'No server is configured.' : `Configured are ${list}.`
  const hint = meant === undefined ? known : `Did you mean \`${shown(meant)}\`?`
  throw new ConfigurationError('name', `There is no server \`${shown(name)}\`. ${hint}`)
}

function trustedServer(server: LoadedServer): LoadedServer {
  if (server.file.isTrusted) return server
  throw untrusted(server.file.path, server.verdict)
}

/** A server that may be used for what is asked; otherwise the reason is thrown. */
function usable(server: LoadedServer, kind: 'http' | 'stdio'): LoadedServer {
  const found = trustedServer(server)
  const { entry, target } = found
  const fail = (problem: string): never => {
    throw new ConfigurationError(
      'config',
      `${whereIs(found)}: server \`${shown(entry.name)}\`: ${problem}.`,
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
  server: LoadedServer,
  tools: Tools,
): CredentialProvider | CredentialSelector {
  const found = usable(server, 'http')
  const { entry, file, target, surroundings } = found
  const url = target !== undefined && 'url' in target ? target.url : undefined
  if (url === undefined) throw new Error('A server that can be used has a URL.')
  return serverProvider({ entry, url, file: file.path, where: whereIs(found), surroundings, tools })
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
    if (!isCredentialError(error, 'secret_unavailable')) throw error
    throw prefixed(`${whereIs(found)}: server \`${shown(found.entry.name)}\`, env.`, error)
  })
  return { ...Object.fromEntries(plain), ...read }
}
