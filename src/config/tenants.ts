/**
 * Selects the tenant of requests.
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
 * Runs a task for a tenant: its requests to a server whose entry has `tenants` carry the credential of that
 * tenant. An MCP session belongs to the tenant that opened it, so use a separate client for each tenant.
 *
 * @param tenant - The tenant's name in the config file.
 * @param task - The task; the tenant also applies to everything that it awaits.
 * @returns The result of the task.
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

/** Creates a selector for the provider of the current tenant. */
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
        `The server \`${shown(server)}\` has tenants, but no tenant was selected.`,
        {
          provider: 'perTenant',
          remedy: 'Make the request within `inTenant(name, task)` of mcp-credentials/config.',
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
