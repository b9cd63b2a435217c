/**
 * One provider for each tenant, chosen when a request is made.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'

/** How {@link perTenant} keeps its tenants. */
export interface PerTenantOptions {
  /**
   * How many tenants are kept, at most. The one that was not used for the longest time is forgotten,
   * and its credential with it; it comes back by itself. Default 1000.
   */
  readonly maxTenants?: number
}

/**
 * Keeps a credential for each tenant of a multi-tenant application. Tenants share nothing: neither a
 * credential nor its renewal, its rejections or its failures.
 *
 * Pass it to `withCredentials` or `authorizedFetch` as it is. Combinators such as `all` go inside:
 * `perTenant(keyOf, (tenant) => all(…))`. An MCP session belongs to whoever opened it, so give each
 * tenant a client of its own, unless the server keeps no sessions.
 *
 * @param keyOf - Names the tenant that the current request is for; it may read an
 * `AsyncLocalStorage`. Called once for each request, not for its retries.
 * @param providerFor - Makes the tenant's provider; called when the tenant is first seen.
 * @throws {@link ConfigurationError} when an argument is no function, or `maxTenants` is no positive
 * integer. Requests throw {@link CredentialError} with the code `no_tenant` when `keyOf` throws or
 * returns anything but a text that is not empty; no other tenant's credential is sent instead.
 *
 * @example
 * ```ts
 * import { AsyncLocalStorage } from 'node:async_hooks'
 * import { apiKey, file, perTenant, withCredentials } from 'mcp-credentials'
 *
 * const tenant = new AsyncLocalStorage<string>()
 * const provider = perTenant(
 *   () => tenant.getStore() ?? '',
 *   (name) => apiKey({ value: file(`/run/secrets/${encodeURIComponent(name)}`) }),
 * )
 * const options = withCredentials(provider)
 * ```
 */
export function perTenant(
  keyOf: () => string,
  providerFor: (key: string) => CredentialProvider,
  options: PerTenantOptions = {},
): CredentialProvider & {
  select(): { readonly key: string; readonly provider: CredentialProvider }
} {
  checkOptions('perTenant', options, ['maxTenants'])
  const { maxTenants = 1000 } = options
  checkFunction('keyOf', keyOf, '() => tenant.getStore()')
  checkFunction('providerFor', providerFor, '(key) => apiKey({ … })')
  if (!(Number.isSafeInteger(maxTenants) && maxTenants > 0)) {
    throw new ConfigurationError(
      'perTenant.maxTenants',
      'perTenant.maxTenants must be a positive integer.',
    )
  }
  const kept = new Map<string, CredentialProvider>()
  return {
    name: 'perTenant',
    select() {
      const key = nameTenant(keyOf)
      const provider = kept.get(key) ?? makeProvider(providerFor, key)
      // A map keeps the order of insertion, so the first is the one that was not used for longest.
      kept.delete(key)
      kept.set(key, provider)
      if (kept.size > maxTenants) kept.delete(kept.keys().next().value ?? key)
      return { key, provider }
    },
    // One credential would be kept here and sent for every tenant.
    async acquire() {
      throw new ConfigurationError(
        'perTenant',
        'perTenant has no credential of its own; pass it to withCredentials or authorizedFetch as it is, and put all(), rotating() and the like inside.',
        { provider: 'perTenant' },
      )
    },
  }
}

function nameTenant(keyOf: () => string): string {
  let key: unknown
  try {
    key = keyOf()
  } catch (thrown) {
    if (isCredentialError(thrown)) throw thrown
    throw noTenant(`the function threw ${thrown instanceof Error ? thrown.name : typeof thrown}`)
  }
  if (typeof key === 'string' && key !== '') return key
  throw noTenant('the function returned no text')
}

function noTenant(what: string): CredentialError {
  return new CredentialError(
    'no_tenant',
    `perTenant: nobody knows which tenant the request is for; ${what}.`,
    { provider: 'perTenant', remedy: 'Make the request where the tenant is known.' },
  )
}

function makeProvider(
  providerFor: (key: string) => CredentialProvider,
  key: string,
): CredentialProvider {
  const provider = providerFor(key)
  if (typeof provider?.acquire === 'function') return ownCopy(provider)
  // A promise is refused below, and whether it is kept is nobody's business then.
  Promise.resolve(provider as unknown).catch(() => {})
  throw new ConfigurationError(
    'perTenant.providerFor',
    'perTenant: the second function must return a provider, such as apiKey({ … }), and no promise.',
  )
}

/** Credentials are kept by provider, so tenants must not share the object even where they share the provider. */
function ownCopy(provider: CredentialProvider): CredentialProvider {
  const {
    name,
    alternatives = 1,
    scoped = false,
    interactive = false,
    discovers = false,
  } = provider
  const { restore, revoke } = provider
  return {
    name,
    alternatives,
    scoped,
    interactive,
    discovers,
    acquire: (context) => provider.acquire(context),
    ...(restore === undefined ? {} : { restore: restore.bind(provider) }),
    ...(revoke === undefined ? {} : { revoke: revoke.bind(provider) }),
  }
}

function checkFunction(name: string, value: unknown, example: string): void {
  if (typeof value === 'function') return
  throw new ConfigurationError(
    `perTenant.${name}`,
    `perTenant: \`${name}\` must be a function, such as ${example}.`,
  )
}
