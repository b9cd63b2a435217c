/**
 * Which server a command is about: a URL, or a name in the config file.
 *
 * @module
 */
import { isAbsolute } from 'node:path'
import type { Config, ConfiguredServer, LoadConfigOptions } from '../config/index.ts'
import {
  ConfigurationError,
  type CredentialProvider,
  type CredentialSelector,
  type CredentialStore,
  isCredentialError,
} from '../index.ts'
import type { Invocation } from './command.ts'
import { commandWord, labelOf, shown } from './labels.ts'
import { remoteUrl } from './mcp-remote-url.ts'

/** The server that a command is about. */
export interface Server {
  readonly url: URL
  /** What may be shown of the URL. */
  readonly label: string
  /** Its entry in the config file, where it was named. */
  readonly entry: ConfiguredServer | undefined
  readonly config: Config | undefined
}

/**
 * Finds the server of an argument.
 *
 * @throws `ConfigurationError` when it is no URL and no name of the config file, when that file is not trusted, and when
 * a tenant was chosen for a server that has none.
 */
export async function findServer(
  given: string,
  invocation: Invocation,
  store: CredentialStore,
): Promise<Server> {
  const { tenant } = invocation.global
  if (/^https?:\/\//i.test(given)) {
    const url = serverUrl(given)
    refuseTenant(given, tenant)
    return { url, label: labelOf(url), entry: undefined, config: undefined }
  }
  const config = await readConfig(invocation, store)
  const isKnown = config.servers.some(({ name }) => name === given)
  if (!isKnown) refuseUnknown(given, config)
  // Whoever wrote the file decides where its names lead, and so who is sent a secret.
  const entry = trustedEntry(given, config)
  if (entry.tenants.length === 0) refuseTenant(given, tenant)
  if (entry.url !== undefined) {
    return { url: entry.url, label: labelOf(entry.url), entry, config }
  }
  const isProcess = entry.kind === 'stdio'
  throw new ConfigurationError(
    'server',
    isProcess
      ? `The server ${given} runs on this machine and has no URL.`
      : `The server ${given} of ${entry.file} cannot be used: ${entry.problem ?? 'it has no URL'}.`,
    {
      remedy: isProcess ? processRemedy(given, entry) : remedyFor(entry),
    },
  )
}

/** Where an environment is missing, nothing is wrong with the entry. */
function remedyFor({ environments }: ConfiguredServer): string {
  return environments.length === 0
    ? 'Correct that entry.'
    : `Choose an environment: ${environments.map((name) => `\`--environment ${commandWord(name)}\``).join(' or ')}.`
}

/** The entry of a trusted file. An entry that is only a URL can be used without trust, by that URL. */
export function trustedEntry(name: string, config: Config): ConfiguredServer {
  const { url, auth, isTrusted } = config.server(name)
  try {
    return config.trusted(name)
  } catch (error) {
    const isOnlyUrl = url !== undefined && auth.startsWith('saved login')
    if (isTrusted || !isOnlyUrl || !isCredentialError(error, 'configuration')) throw error
    const { message, remedy = '', option } = error
    const problem = message.replace(remedy, '').trim()
    const label = commandWord(labelOf(url))
    throw new ConfigurationError(option, problem, {
      remedy: `${remedy} Or pass the URL instead of the name, if you know that server: ${label}`,
    })
  }
}

function processRemedy(name: string, entry: ConfiguredServer): string {
  const url = remoteUrl(entry)
  if (url === undefined)
    return `Start it with \`npx mcp-credentials exec ${commandWord(name)} -- command\`.`
  const label = labelOf(url)
  return `It starts mcp-remote for ${label}: pass that URL. \`npx mcp-credentials proxy ${commandWord(label)}\` stands in for mcp-remote, and \`npx mcp-credentials set ${commandWord(label)}\` stores a key in place of \`--header\`.`
}

/**
 * Refuses a tenant that would have no effect: the credential of all tenants would stand in for that of one.
 *
 * @throws `ConfigurationError` when there is one.
 */
export function refuseTenant(server: string, tenant: string | undefined): void {
  if (tenant === undefined) return
  const isUrl = /^https?:/i.test(server)
  const problem = isUrl
    ? 'The server of a URL has no tenants; they belong to entries of a config file.'
    : `The server ${shown(server)} has no tenants.`
  throw new ConfigurationError('tenant', problem, {
    remedy: isUrl ? 'Name the entry, or leave out --tenant.' : 'Leave out --tenant.',
  })
}

/** An argument that is no name: a URL without its beginning, or a name where no config file has any. */
export function refuseUnknown(given: string, { servers, files }: Config): void {
  const isLocal = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?(?:\/|$)/.test(given)
  if (isLocal || /^[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:\/|$)/.test(given)) {
    const beginning = isLocal ? 'http://' : 'https://'
    throw new ConfigurationError('server', `The URL of a server begins with ${beginning}.`, {
      remedy: `Write \`${beginning}${given}\`.`,
    })
  }
  if (servers.length > 0) return
  const where = files.length === 0 ? 'there is no config file' : 'no config file has a server'
  throw new ConfigurationError('server', `There is no server ${shown(given)}: ${where}.`, {
    remedy: 'Pass its URL, such as https://mcp.example.com/mcp, or a config file with --config.',
  })
}

/**
 * Reads a URL that was typed.
 *
 * @throws `ConfigurationError` when it is none, or has a password in it.
 */
export function serverUrl(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new ConfigurationError('server', 'That is no address of a server.', {
      remedy: 'Write it as in `https://mcp.example.com/mcp`.',
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(
      'server',
      'The address has a password in it, which others can read.',
      {
        remedy: `Leave it out, and run \`npx mcp-credentials set ${commandWord(labelOf(url))} --basic USER\`.`,
      },
    )
  }
  return url
}

/** Reads the config files, with the store in which trust is kept. */
export async function readConfig(
  { terminal, global }: Invocation,
  store: CredentialStore,
  hooks: Pick<LoadConfigOptions, 'onUserCode' | 'onAuthorizationUrl'> = {},
): Promise<Config> {
  const { loadConfig } = await import('../config/index.ts')
  const { cwd, env } = terminal
  const home = env['HOME'] ?? ''
  return loadConfig({
    ...hooks,
    store,
    cwd,
    env,
    ...(isAbsolute(home) ? { home } : {}),
    ...(global.config === undefined ? {} : { path: global.config }),
    ...(global.environment === undefined ? {} : { environment: global.environment }),
    input: (id, description) => terminal.askSecret(description ?? `Value of ${id}`),
  })
}

/** What proves who the client is to a server, as `auto()` and the config say. */
export async function providerFor(
  { entry, config }: Server,
  { global }: Invocation,
  store: CredentialStore,
): Promise<CredentialProvider | CredentialSelector> {
  const saved = entry?.auth.startsWith('saved login') === true
  if (entry !== undefined && config !== undefined && !saved) return config.credentials(entry)
  const { auto } = await import('../auto/index.ts')
  return auto({
    store,
    ...(global.config === undefined ? {} : { config: global.config }),
    ...(global.environment === undefined ? {} : { environment: global.environment }),
  })
}

/** The option `account` of the library. */
export function accountOption({ global }: Pick<Invocation, 'global'>): {
  readonly account?: string
} {
  return global.account === undefined ? {} : { account: global.account }
}

/**
 * Runs a task in the name of the tenant that was chosen.
 *
 * @throws `ConfigurationError` when the server has tenants, and none was chosen.
 */
export async function asTenant<T>(
  { entry }: Server,
  { global: { tenant } }: Invocation,
  task: () => Promise<T>,
): Promise<T> {
  if (entry === undefined || entry.tenants.length === 0) return task()
  const chosen = chosenTenant(entry, tenant)
  const { inTenant } = await import('../config/index.ts')
  return inTenant(chosen, task)
}

/**
 * What proves who the tenant is that was chosen, whoever sends the requests.
 *
 * @throws `ConfigurationError` when the server has tenants, and none was chosen.
 */
export async function ofTenant(
  provider: CredentialProvider | CredentialSelector,
  entry: Pick<ConfiguredServer, 'name' | 'tenants'>,
  tenant: string | undefined,
): Promise<CredentialProvider | CredentialSelector> {
  if (!('select' in provider)) {
    refuseTenant(entry.name, tenant)
    return provider
  }
  const chosen = chosenTenant(entry, tenant)
  const { inTenant } = await import('../config/index.ts')
  return {
    ...provider,
    select: (request) => inTenant(chosen, () => provider.select(request)),
  }
}

function chosenTenant(
  { name, tenants }: Pick<ConfiguredServer, 'name' | 'tenants'>,
  tenant: string | undefined,
): string {
  if (tenant !== undefined) return tenant
  const names = tenants.map(shown).join(', ')
  throw new ConfigurationError('tenant', `The server ${shown(name)} has tenants: ${names}.`, {
    remedy: 'Choose one with --tenant.',
  })
}
