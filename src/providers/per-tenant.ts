/**
 * One provider for each tenant, chosen when a request is made.
 *
 * @module
 */
import type { CredentialProvider, CredentialSelector, SelectionRequest } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'

/**
 * The options of {@link perTenant}.
 *
 * @group Several credentials
 */
export interface PerTenantOptions {
  /**
   * The maximum number of tenants to keep. The least recently used one is closed; its credential is acquired
   * again when it is needed. Default 1000.
   */
  readonly maxTenants?: number
}

/**
 * Keeps a credential for each tenant of a multi-tenant application. Tenants share nothing: neither
 * credentials, renewals, rejections and failures, nor stored records.
 *
 * Pass it to `withCredentials` or `authorizedFetch`. Combinators such as `all` go inside:
 * `perTenant(keyOf, (tenant) => all(…))`. An MCP session belongs to the user who opened it, so give
 * each tenant its own client, unless the server keeps no sessions. Log in and out where the tenant
 * is known: `await tenant.run(name, () => options.login())`.
 *
 * @param keyOf - Returns the tenant of a request, from an `AsyncLocalStorage` or from the request;
 * `undefined` where it is not known.
 * Called once for each request, not for its retries, and synchronously when the request is made.
 * @param providerFor - Makes the tenant's provider; called when the tenant is first seen.
 * @throws {@link ConfigurationError} when an argument is not a function, or `maxTenants` is not a
 * positive integer. Requests throw {@link CredentialError} with the code `no_tenant` when `keyOf`
 * throws or returns anything but a non-empty text; no other tenant's credential is sent
 * instead.
 *
 * @example
 * ```ts
 * import { AsyncLocalStorage } from 'node:async_hooks'
 * import { apiKey, file, perTenant, withCredentials } from 'mcp-credentials'
 *
 * const tenant = new AsyncLocalStorage<string>()
 * const selector = perTenant(
 *   () => tenant.getStore(),
 *   (name) => apiKey({ value: file(`/run/secrets/tenants/${encodeURIComponent(name)}`) }),
 * )
 * const options = withCredentials(selector)
 * ```
 * @group Several credentials
 */
export function perTenant(
  keyOf: (request: SelectionRequest) => string | undefined,
  providerFor: (key: string) => CredentialProvider,
  options: PerTenantOptions = {},
): CredentialSelector {
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
  return {
    name: 'perTenant',
    maxKept: maxTenants,
    select(request) {
      const key: unknown = keyOf(request)
      if (typeof key !== 'string' || key === '') throw noTenant(key)
      return { key, provider: () => providerFor(key) }
    },
  }
}

function noTenant(key: unknown): CredentialError {
  // The rejection of a promise must be handled.
  Promise.resolve(key).catch(() => {})
  return new CredentialError(
    'no_tenant',
    'perTenant: the tenant of the request is not known; the function did not return a text.',
    { provider: 'perTenant', remedy: 'Make the request where the tenant is known.' },
  )
}

function checkFunction(name: string, value: unknown, example: string): void {
  if (typeof value === 'function') return
  throw new ConfigurationError(
    `perTenant.${name}`,
    `perTenant: \`${name}\` must be a function, such as ${example}.`,
  )
}
