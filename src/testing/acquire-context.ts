/**
 * The context for calling a provider without a token manager.
 *
 * @module
 */
import type { AcquireContext, CredentialRecord } from '../credential.ts'

/**
 * Makes the context of a first acquisition, to call a provider directly. It keeps the provider's records in
 * memory.
 *
 * @param overrides - What differs. Defaults: the resource `https://mcp.example.com/mcp`, which is
 * `serverUrl` as well, the reason `missing`, no scopes and no challenges, `interactive: true`, a
 * signal that never aborts, and the platform's `fetch`, clock and random numbers. `serverNow`
 * follows `now`.
 *
 * @example
 * ```ts
 * import { apiKey } from 'mcp-credentials'
 * import { acquireContext } from 'mcp-credentials/testing'
 *
 * const credential = await apiKey({ value: 'key-1' }).acquire(acquireContext())
 * ```
 * @group Contracts
 */
export function acquireContext(overrides: Partial<AcquireContext> = {}): AcquireContext {
  const records = new Map<string, CredentialRecord>()
  const { now = Date.now, resource = new URL('https://mcp.example.com/mcp') } = overrides
  return {
    resource,
    serverUrl: resource,
    reason: 'missing',
    scope: undefined,
    challenges: [],
    previous: undefined,
    interactive: true,
    fetch: (input, init) => fetch(input, init),
    signal: new AbortController().signal,
    commit: async () => {},
    salvage: () => {},
    records: {
      get: async (key) => records.get(key),
      set: async (key, record) => void records.set(key, record),
      delete: async (key) => records.delete(key),
    },
    now,
    serverNow: now,
    random: Math.random,
    ...overrides,
  }
}
