/**
 * What the config files say about a server.
 *
 * @module
 */
import type { CredentialProvider, CredentialSelector, CredentialStore } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { printable, resourceLabel } from '../labels.ts'
import type { Choice, RegisteredClient, Sources } from './choice.ts'
import type { WorkloadProvider } from './workload.ts'

/** The part of a config that is used here. */
export interface ReadConfig {
  /** The entry of a server; `undefined`: there is none. */
  find(resource: URL): FoundEntry | undefined
  /** All entries. */
  readonly servers?: readonly Pick<FoundEntry, 'name' | 'problem'>[]
  /** What proves who the client is to the server of an entry that was found. */
  credentials(entry: FoundEntry): CredentialProvider | CredentialSelector
}

/** The entry of a server. */
interface FoundEntry {
  readonly name: string
  readonly file: string
  readonly isTrusted: boolean
  readonly auth: string
  readonly oauth?: RegisteredClient
  /** Why it cannot be used, such as an environment that it does not have. */
  readonly problem?: string
}

/** How config files are found and read. */
export interface ConfigOptions {
  readonly config: string | false | undefined
  readonly environment: string | undefined
  readonly store: CredentialStore
}

/** Reads the config files whenever something is to be chosen. */
export function configSource(
  { config, environment, store }: ConfigOptions,
  load: (options: LoadOptions) => Promise<ReadConfig | undefined> = loadLazily,
): Sources['config'] {
  return async (resource) => {
    const missing = { nothing: 'no entry of the config allows one for this server' }
    if (config === false)
      return { entry: { nothing: 'the option `config` is false' }, workload: missing }
    const read = await load({
      ...(config === undefined ? {} : { path: config }),
      ...(environment === undefined ? {} : { environment }),
      store,
    })
    const found = read?.find(resource)
    if (read === undefined || found === undefined) {
      return { entry: { nothing: noEntry(read?.servers ?? []) }, workload: missing }
    }
    const detail = `the entry \`${found.name}\` of ${found.file}`
    // Whoever wrote a file that nobody trusts does not decide what a person is asked to agree to.
    const client = found.isTrusted ? found.oauth : undefined
    const bare = {
      client,
      entry: { nothing: `${detail} says nothing about credentials` },
      workload: missing,
    }
    // There is nothing in it that would have to be trusted.
    if (!found.isTrusted && found.auth.startsWith('saved login')) return bare
    const provider = read.credentials(found)
    if (!isProvider(provider)) throw severalTenants(detail, found.name, resource)
    if (isWorkload(provider)) {
      const entry = { nothing: `${detail} allows a workload identity` }
      return { entry, workload: await workloadOf(provider, detail) }
    }
    if (provider.name === 'savedLogin') return bare
    return { entry: { source: 'config', detail, provider }, workload: missing }
  }
}

/** An entry without a URL may be the one that was meant. */
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

/** The parser and the tables of all providers are loaded only where there is a file; `undefined`: there is none. */
async function loadLazily(options: LoadOptions): Promise<ReadConfig | undefined> {
  const { isAnyTaken, placesFor } = await import('../config/locations.ts')
  if (!(await isAnyTaken(await placesFor(options)))) return undefined
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
): Promise<Choice | { readonly nothing: string }> {
  const platform = await provider.announced()
  if (platform === undefined) return { nothing: 'the environment announces none' }
  return { source: 'workload', detail: `${platform}, as ${detail} allows`, provider }
}

function severalTenants(detail: string, name: string, resource: URL): ConfigurationError {
  return new ConfigurationError('config', `auto: ${detail} has a credential for each tenant.`, {
    resource: resourceLabel(resource),
    remedy: `Use \`config.connect('${name}', client)\` or \`config.credentials('${name}')\` of mcp-credentials/config, which choose by tenant.`,
  })
}
