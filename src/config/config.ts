/**
 * The servers of config files, and their credentials.
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
import type { Dependencies } from './provider-table.ts'
import { type ReviewedServer, reviewFile } from './review.ts'
import { serverProvider } from './server-provider.ts'
import { type ConfiguredServer, describeServer, type LoadedServer, problemOf } from './servers.ts'
import { secretText } from './template.ts'
import { type ConfigFile, recordTrust, untrustedError } from './trust.ts'

/** A client of either official SDK. */
export type ConfigClient = Parameters<typeof connect>[0]

/** The servers of config files, and their credentials. */
export interface Config {
  /** The files that were read, nearest first. */
  readonly files: readonly ConfigFile[]
  /**
   * The servers. Of several entries with one name: the nearest in a trusted file, otherwise the nearest.
   */
  readonly servers: readonly ConfiguredServer[]
  /** Warnings for the user: secrets in a file, and entries that were ignored. */
  readonly warnings: readonly ConfigWarning[]
  /**
   * Finds the server whose URL has the origin and path of a resource: first in trusted files, then the
   * nearest. Entries that share their name with another are included. An entry with a query matches only a
   * resource with that query, in any order of the parameters. An entry without a query matches any, unless
   * another entry for the same origin and path has a query.
   *
   * @throws `ConfigurationError` when several entries match equally well, and their credentials differ.
   */
  find(resource: string | URL): ConfiguredServer | undefined
  /**
   * Returns the server with a name.
   *
   * @throws `ConfigurationError` when there is none; the error suggests a similar name.
   */
  server(name: string): ConfiguredServer
  /**
   * Returns the server with a name, from a trusted file: the author of the file decides which URL a name
   * stands for.
   *
   * @throws `ConfigurationError` when there is none, or its file is not trusted; the remedy is a command.
   *   `StoreError` when the trust cannot be read.
   */
  trusted(name: string): ConfiguredServer
  /**
   * Returns the provider for a server, or a selector if the entry has `tenants`. Its secrets are sent only
   * to the origin of the entry's URL; requests to others fail with the code `wrong_origin`.
   *
   * @param server - The name, or an object that this config has returned.
   * @throws `ConfigurationError` when there is no such server, when it is a stdio server, when its file is
   *   not trusted (the remedy is a command), or when an option is invalid; `StoreError` when the trust
   *   cannot be read.
   */
  credentials(
    server: string | Pick<ConfiguredServer, 'name' | 'file'>,
  ): CredentialProvider | CredentialSelector
  /**
   * Connects a client to a server, with its credentials.
   *
   * @param client - A `Client` of `@modelcontextprotocol/sdk` (1.x) or `@modelcontextprotocol/client`
   *   (2.x).
   * @throws The errors of `credentials()`, and of `connect()` of `mcp-credentials/mcp`.
   */
  connect(name: string, client: ConfigClient, options?: ConnectOptions): Promise<ConnectedTransport>
  /**
   * Returns the environment variables of a stdio server, with its secrets. Only variables of the entry are
   * included.
   *
   * @param options.signal - Aborts reading the secrets, with the signal's reason.
   * @throws `ConfigurationError` when the server has a URL, its file is not trusted, or a secret is in a
   *   variable that determines what the process runs (`PATH`, `NODE_OPTIONS`); `CredentialError` when a
   *   secret cannot be read.
   */
  environmentOf(
    name: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<Record<string, string>>
  /**
   * Describes what a file would do if it were trusted: all its entries, as the file was read, including
   * entries that others hide.
   *
   * @param file - One of `files`, or its path.
   * @throws `ConfigurationError` when the file was not read.
   */
  review(file: string | Pick<ConfigFile, 'path'>): readonly ReviewedServer[]
  /**
   * Records in the store that the user trusts the content of a file as it was read. The trust applies when
   * the file is loaded again with the same content.
   *
   * @param file - One of `files`, or its path.
   * @throws `ConfigurationError` when there is no store, or the file was not read; `StoreError` when the
   *   store cannot be used.
   */
  trust(file: string | Pick<ConfigFile, 'path'>): Promise<void>
}

/** The parts of a config. */
export interface ConfigParts {
  readonly files: readonly ConfigFile[]
  /** The content of the files; of a file that was read several times, the first is used. */
  readonly read: readonly ReadFile[]
  /** All entries, nearest first. */
  readonly servers: readonly LoadedServer[]
  readonly warnings: readonly ConfigWarning[]
  readonly dependencies: Dependencies
  readonly store: CredentialStore | undefined
}

/** Creates the public object. */
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
    // A copied object may match several entries with its name, so only the originals are accepted.
    const server = typeof given === 'string' ? named(given) : (loaded.get(given) ?? foreign())
    const provider = made.get(server) ?? makeCredentials(server, parts.dependencies)
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
      await recordTrust(content.realPath, sha256, store)
    },
  }
}

/** The content of a file, as it was read. */
function readOf({ read, files }: ConfigParts, file: string | Pick<ConfigFile, 'path'>): ReadFile {
  const path = typeof file === 'string' ? file : file.path
  const found = read.find((each) => each.place.path === path)
  if (found !== undefined) return found
  const names = files.map((each) => each.path).join(', ')
  const known = names === '' ? 'none was' : `these were: ${names}`
  throw new ConfigurationError('file', `The file ${path} was not read; ${known}.`)
}

function foreign(): never {
  throw new ConfigurationError('server', 'The server object does not belong to this config.', {
    remedy: 'Pass its name, or an object that `find()` or `server()` has returned.',
  })
}

function unknownServer(name: string, names: readonly string[]): never {
  const meant = nearest(name, names)
  const list = names.slice(0, 10).map(shown).join(', ')
  const known = names.length === 0 ? 'No server is configured.' : `The servers are ${list}.`
  const hint = meant === undefined ? known : `Did you mean \`${shown(meant)}\`?`
  throw new ConfigurationError('name', `There is no server \`${shown(name)}\`. ${hint}`)
}

function trustedServer(server: LoadedServer): LoadedServer {
  if (server.file.isTrusted) return server
  throw untrustedError(server.file.path, server.verdict)
}

/** Returns a server that is trusted and of the requested kind; otherwise throws the problem. */
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
      ? fail('it is a stdio server without a URL; `environmentOf` reads its secrets')
      : fail('it has a URL and no environment; use `credentials`')
  }
  const problem = problemOf(entry, target)
  return problem === undefined ? found : fail(problem)
}

function whereIs({ file, at }: LoadedServer): string {
  return problemText({ file: file.path, ...at, message: '' }).replace(/: $/, '')
}

function makeCredentials(
  server: LoadedServer,
  dependencies: Dependencies,
): CredentialProvider | CredentialSelector {
  const found = usable(server, 'http')
  const { entry, file, target, fileContext } = found
  const url = target !== undefined && 'url' in target ? target.url : undefined
  if (url === undefined) throw new Error('A usable server has a URL.')
  return serverProvider({
    entry,
    url,
    file: file.path,
    where: whereIs(found),
    fileContext,
    dependencies,
  })
}

/** Values that are read are checked as secrets; literal values are as trusted as the command of the file. */
async function environmentOf(
  found: LoadedServer,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Record<string, string>> {
  const { entry, fileContext } = found
  const plain: [string, string][] = []
  const secrets: [string, Secret][] = []
  for (const [name, text] of entry.env) {
    const secret = secretText(name, text, fileContext)
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
