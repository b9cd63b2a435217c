/**
 * In which tenant's name a request is made.
 *
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { perTenant } from '../providers/per-tenant.ts'
import { nearest } from './nearest.ts'
import { shown } from './problems.ts'

const current = /* @__PURE__ */ new AsyncLocalStorage<string>()

/**
 * Runs a task in the name of a tenant: the requests that it makes to a server whose entry has `tenants` carry that
 * tenant's credential, and no other's. An MCP session belongs to the tenant that opened it, so give each a client of
 * its own.
 *
 * @param tenant - The tenant's name in the config file.
 * @param task - What to run; the tenant also holds in what it awaits.
 * @returns What the task returns.
 *
 * @example
 * ```ts
 * import { Client } from '@modelcontextprotocol/sdk/client/index.js'
 * import { inTenant, loadConfig } from 'mcp-credentials/config'
 *
 * const config = await loadConfig()
 * const client = new Client({ name: 'agent', version: '1.0.0' })
 * await inTenant('acme', () => config.connect('crm', client))
 * const tools = await inTenant('acme', () => client.listTools())
 * ```
 */
export function inTenant<T>(tenant: string, task: () => T): T {
  return current.run(tenant, task)
}

/** Selects the provider of the tenant in whose name a request is made. */
export function tenantSelector(
  server: string,
  names: readonly string[],
  providerFor: (tenant: string) => CredentialProvider,
): CredentialSelector {
  return perTenant(
    () => {
      const tenant = current.getStore()
      if (tenant !== undefined) return tenant
      throw new CredentialError(
        'no_tenant',
        `The server \`${shown(server)}\` has tenants, and none was chosen.`,
        {
          provider: 'perTenant',
          remedy: 'Make the request in `inTenant(name, task)` of mcp-credentials/config.',
        },
      )
    },
    (tenant) => {
      if (names.includes(tenant)) return providerFor(tenant)
      const meant = nearest(tenant, names)
      const remedy =
        meant === undefined
          ? `Its tenants are ${names.map(shown).join(', ')}.`
          : `Did you mean \`${shown(meant)}\`?`
      throw new CredentialError(
        'no_tenant',
        `The server \`${shown(server)}\` has no tenant \`${shown(tenant)}\`.`,
        { provider: 'perTenant', tenant, remedy },
      )
    },
  )
}
