/**
 * Stores a key for one server.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util'
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { ConfigurationError, isCredentialError } from '../errors.ts'
import { resolveOptions } from '../manager/options.ts'
import { recordKey } from '../manager/stored-record.ts'
import { checkOptions } from '../options.ts'
import { providerOfKey, recordOfKey, type StoredKey } from '../providers/stored-key.ts'
import { kindOf, type SavedKind } from './saved-credentials.ts'

/**
 * Stores a key, a token or a password for one server, where `auto()` and `savedLogin()` find it. It is sent to that
 * server alone. Whatever is stored for the same server and account is replaced, also a login of a person; that is
 * not revoked. Clients that run learn of it when the server refuses what they have.
 *
 * @returns What it replaced, if there was anything, or what it kept, as `ifAbsent` asks.
 * @throws `ConfigurationError` when an option is wrong, or the key could not be sent; `StoreError` when the store
 * cannot be used. What was stored is untouched then.
 *
 * @example
 * ```ts
 * import { defaultStore, saveKey } from 'mcp-credentials/auto'
 *
 * declare const value: string // from a prompt without echo
 *
 * const resource = 'https://mcp.example.com/mcp'
 * await saveKey(defaultStore(), { resource, key: { type: 'apiKey', header: 'X-API-Key', value } })
 * ```
 * @group Stored credentials
 */
export async function saveKey(
  store: CredentialStore,
  options: {
    /** The MCP server. The key is for its very query, in any order of the parameters; the fragment does not count. */
    readonly resource: string | URL
    /** Tells several credentials for one server apart. Default `default`. */
    readonly account?: string
    /** The key. */
    readonly key: StoredKey
    /** Keeps another credential that is stored for the server and account. Default `false`: it is replaced. */
    readonly ifAbsent?: boolean
  },
): Promise<{
  /** What was stored there before, and is gone; absent: nothing. */
  readonly replaced?: SavedKind
  /** Another credential that was kept, so that the key is not stored; only with `ifAbsent`. */
  readonly kept?: SavedKind
}> {
  checkOptions('saveKey', options, ['resource', 'account', 'key', 'ifAbsent'])
  const { key, ifAbsent = false, ...owner } = options
  if (key === undefined) {
    throw new ConfigurationError('saveKey.key', 'saveKey: pass the key that is to be stored.')
  }
  const { serverUrl: resource, account } = resolveOptions(providerOfKey(key), { ...owner, store })
  const place = recordKey({ resource, account, tenant: undefined })
  return store.lock(place, async () => {
    const found = await readRecord(store, place)
    if (found === 'unusable' && ifAbsent) return { kept: 'unknown' }
    const before = found === 'unusable' ? undefined : found
    const record = recordOfKey(key, Date.now())
    const isNothing = before === undefined || Object.keys(before.data).length === 0
    if (ifAbsent && !isNothing) return isSame(before, record) ? {} : { kept: kindOf(before) }
    // Processes that have the earlier record notice that this is another one.
    const generation = (before?.generation ?? 0) + 1
    await store.set(place, { ...record, generation })
    return isNothing ? {} : { replaced: kindOf(before) }
  })
}

function isSame(one: CredentialRecord, other: CredentialRecord): boolean {
  return one.provider === other.provider && isDeepStrictEqual(one.data, other.data)
}

/** What is stored; a record that cannot be read can be replaced like any other. */
async function readRecord(
  store: CredentialStore,
  place: string,
): Promise<CredentialRecord | 'unusable' | undefined> {
  try {
    return await store.get(place)
  } catch (error) {
    if (isCredentialError(error, 'store') && error.reason === 'unusable_record') return 'unusable'
    throw error
  }
}
