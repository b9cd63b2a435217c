/**
 * Resolves the server argument of a command: a URL, or a name in the config file.
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
import { withoutRemedy } from './problem.ts'

/** The server of a command. */
export interface Server {
  readonly url: URL
  /** The URL as it may be shown. */
  readonly label: string
  /** Its config entry, if it was given by name. */
  readonly entry: ConfiguredServer | undefined
  readonly config: Config | undefined
}

/**
 * Finds the server of an argument.
 *
 * @throws `ConfigurationError` when it is neither a URL nor a name in the config file, when that file is
 *   not trusted, and when a tenant was chosen for a server that has none.
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
  // The author of the file decides which URL a name stands for, and so who receives a secret.
  const entry = trustedEntry(given, config)
  if (entry.tenants.length === 0) refuseTenant(given, tenant)
  if (entry.url !== undefined) {
    return { url: entry.url, label: labelOf(entry.url), entry, config }
  }
  const isProcess = entry.kind === 'stdio'
  throw new ConfigurationError(
    'server',
    isProcess
      ? `The server ${given} is a stdio server and has no URL.`
      : `The server ${given} of ${entry.file} cannot be used: ${entry.problem ?? 'it has no URL'}.`,
    {
      remedy: isProcess ? processRemedy(given, entry) : remedyFor(entry),
    },
  )
}

/** An entry with environments may only need a choice of one. */
function remedyFor({ environments }: ConfiguredServer): string {
  return environments.length === 0
    ? 'Correct that entry.'
    : `Choose an environment: ${environments.map((name) => `\`--environment ${commandWord(name)}\``).join(' or ')}.`
}

/** The entry of a trusted file. The error for an untrusted entry that has only a URL also suggests that URL. */
export function trustedEntry(name: string, config: Config): ConfiguredServer {
  const { url, usesSavedLogin, isTrusted } = config.server(name)
  try {
    return config.trusted(name)
  } catch (error) {
    const isOnlyUrl = url !== undefined && usesSavedLogin
    if (isTrusted || !isOnlyUrl || !isCredentialError(error, 'configuration')) throw error
    const { remedy = '', option } = error
    const label = commandWord(labelOf(url))
    throw new ConfigurationError(option, withoutRemedy(error), {
      remedy: `${remedy} If you know that server, you can pass its URL instead of the name: ${label}`,
    })
  }
}

function processRemedy(name: string, entry: ConfiguredServer): string {
  const url = remoteUrl(entry)
  if (url === undefined)
    return `Start it with \`npx mcp-credentials exec ${commandWord(name)} -- command\`.`
  const label = labelOf(url)
  return `It starts mcp-remote for ${label}: pass that URL. \`npx mcp-credentials proxy ${commandWord(label)}\` replaces mcp-remote, and \`npx mcp-credentials set ${commandWord(label)}\` stores a key instead of \`--header\`.`
}

/**
 * Refuses a tenant that would have no effect, so that no other credential is used by mistake.
 *
 * @throws `ConfigurationError` when a tenant was chosen.
 */
export function refuseTenant(server: string, tenant: string | undefined): void {
  if (tenant === undefined) return
  const isUrl = /^https?:/i.test(server)
  const problem = isUrl
    ? 'A server that is given by its URL has no tenants; only config entries have.'
    : `The server ${shown(server)} has no tenants.`
  throw new ConfigurationError('tenant', problem, {
    remedy: isUrl ? 'Pass the name of the entry, or omit --tenant.' : 'Omit --tenant.',
  })
}

/** Refuses an argument that is a URL without its scheme, or a name when no config file has servers. */
export function refuseUnknown(given: string, { servers, files }: Config): void {
  const isLocal = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?(?:\/|$)/.test(given)
  if (isLocal || /^[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:\/|$)/.test(given)) {
    const beginning = isLocal ? 'http://' : 'https://'
    throw new ConfigurationError('server', `The URL of a server must start with ${beginning}.`, {
      remedy: `Use \`${beginning}${given}\`.`,
    })
  }
  if (servers.length > 0) return
  const where = files.length === 0 ? 'there is no config file' : 'no config file has a server'
  throw new ConfigurationError('server', `There is no server ${shown(given)}: ${where}.`, {
    remedy: 'Pass its URL, such as https://mcp.example.com/mcp, or a config file with --config.',
  })
}

/**
 * Parses a URL argument.
 *
 * @throws `ConfigurationError` when it is not a URL, or contains a password.
 */
export function serverUrl(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new ConfigurationError('server', 'The URL of the server is not valid.', {
      remedy: 'Use a URL such as `https://mcp.example.com/mcp`.',
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError('server', 'The URL contains a password, which others can read.', {
      remedy: `Remove it, and run \`npx mcp-credentials set ${commandWord(labelOf(url))} --basic USER\`.`,
    })
  }
  return url
}

/** Reads the config files, with the store that records trust. */
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

/** The provider for a server: that of its config entry, otherwise `auto()`. */
export async function providerFor(
  { entry, config }: Server,
  { global }: Invocation,
  store: CredentialStore,
): Promise<CredentialProvider | CredentialSelector> {
  const isConfigured = entry !== undefined && !entry.usesSavedLogin
  if (isConfigured && config !== undefined) return config.credentials(entry)
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
 * Runs a task for the chosen tenant.
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
 * Restricts a provider to the chosen tenant.
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
