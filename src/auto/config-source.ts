/**
 * The config files as a source of credentials.
 *
 * @module
 */
import type { CredentialProvider, CredentialSelector, CredentialStore } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { printable, resourceLabel } from '../labels.ts'
import type { Choice, RegisteredClient, Sources } from './choice.ts'
import type { WorkloadProvider } from './workload.ts'

/** The part of a config that this source uses. */
export interface ReadConfig {
  /** The entry of a server; `undefined`: there is none. */
  find(resource: URL): FoundEntry | undefined
  /** All entries. */
  readonly servers?: readonly Pick<FoundEntry, 'name' | 'problem'>[]
  /** The provider for an entry. */
  credentials(entry: FoundEntry): CredentialProvider | CredentialSelector
}

/** The entry of a server. */
interface FoundEntry {
  readonly name: string
  readonly file: string
  readonly isTrusted: boolean
  readonly usesSavedLogin: boolean
  readonly oauth?: RegisteredClient
  /** Why it cannot be used, such as a missing environment. */
  readonly problem?: string
}

/** The options for finding and reading config files. */
export interface ConfigOptions {
  readonly config: string | false | undefined
  readonly environment: string | undefined
  readonly store: CredentialStore
}

/** Creates the source. It reads the config files for each choice. */
export function configSource(
  { config, environment, store }: ConfigOptions,
  load: (options: LoadOptions) => Promise<ReadConfig | undefined> = loadLazily,
): Sources['config'] {
  return async (resource) => {
    const missing = { reason: 'no config entry allows one for this server' }
    if (config === false)
      return { entry: { reason: 'the option `config` is false' }, workload: missing }
    const read = await load({
      ...(config === undefined ? {} : { path: config }),
      ...(environment === undefined ? {} : { environment }),
      store,
    })
    const found = read?.find(resource)
    if (read === undefined || found === undefined) {
      return { entry: { reason: noEntry(read?.servers ?? []) }, workload: missing }
    }
    const detail = `the entry \`${found.name}\` of ${found.file}`
    // The author of an untrusted file must not determine the client of a login.
    const client = found.isTrusted ? found.oauth : undefined
    const bare = {
      client,
      entry: { reason: `${detail} defines no credential` },
      workload: missing,
    }
    // The entry contains nothing that requires trust.
    if (!found.isTrusted && found.usesSavedLogin) return bare
    const provider = read.credentials(found)
    if (!isProvider(provider)) throw severalTenants(detail, found.name, resource)
    if (isWorkload(provider)) {
      const entry = { reason: `${detail} allows a workload identity` }
      return { entry, workload: await workloadOf(provider, detail) }
    }
    if (provider.name === 'savedLogin') return bare
    return { entry: { source: 'config', detail, provider }, workload: missing }
  }
}

/** Explains that no entry matches, and names entries that cannot be used. */
function noEntry(servers: readonly Pick<FoundEntry, 'name' | 'problem'>[]): string {
  const unusable = servers.filter(({ problem }) => problem !== undefined).slice(0, 3)
  const why = unusable.map(({ name, problem }) => `the entry \`${printable(name)}\`: ${problem}`)
  return ['they have no entry for it', ...why].join('; ')
}

interface LoadOptions {
  readonly path?: string
  readonly environment?: string
  readonly store: CredentialStore
}

/** Loads the parser and the provider table only if there is a file; `undefined`: there is none. */
async function loadLazily(options: LoadOptions): Promise<ReadConfig | undefined> {
  const { hasAnyFile, placesFor } = await import('../config/locations.ts')
  if (!(await hasAnyFile(await placesFor(options)))) return undefined
  const { loadConfig } = await import('../config/index.ts')
  return loadConfig(options)
}

function isProvider(found: CredentialProvider | CredentialSelector): found is CredentialProvider {
  return 'acquire' in found
}

function isWorkload(provider: CredentialProvider): provider is WorkloadProvider {
  return 'announced' in provider
}

async function workloadOf(
  provider: WorkloadProvider,
  detail: string,
): Promise<Choice | { readonly reason: string }> {
  const platform = await provider.announced()
  if (platform === undefined) return { reason: 'the environment has none' }
  return { source: 'workload', detail: `${platform}, as ${detail} allows`, provider }
}

function severalTenants(detail: string, name: string, resource: URL): ConfigurationError {
  return new ConfigurationError(
    'tenants',
    `auto: ${detail} has a separate credential for each tenant.`,
    {
      resource: resourceLabel(resource),
      remedy: `Use \`config.connect('${name}', client)\` or \`config.credentials('${name}')\` of mcp-credentials/config within \`inTenant()\`.`,
    },
  )
}
