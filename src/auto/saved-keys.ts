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
 * Stores a key, a token or a password for one server, where `auto()` and `savedLogin()` find it. It is sent
 * only to that server. It replaces the credential of the same server and account, including a login, which
 * is not revoked. Running clients use it when the server refuses their current credential.
 *
 * @returns The kind of credential that was replaced or, with `ifAbsent`, kept.
 * @throws `ConfigurationError` when an option is invalid, or the key cannot be sent in a request;
 *   `StoreError` when the store cannot be used. The stored credential is then unchanged.
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
    /**
     * The MCP server. The key is for this exact query, in any order of the parameters; the fragment is
     * ignored.
     */
    readonly resource: string | URL
    /** Separates several credentials for one server. Default `default`. */
    readonly account?: string
    /** The key. */
    readonly key: StoredKey
    /** Whether to keep another credential of the server and account. Default `false`: it is replaced. */
    readonly ifAbsent?: boolean
  },
): Promise<{
  /** The kind of credential that was replaced; absent: none. */
  readonly replaced?: SavedKind
  /** The kind of credential that was kept instead of the key, with `ifAbsent`; absent: none. */
  readonly kept?: SavedKind
}> {
  checkOptions('saveKey', options, ['resource', 'account', 'key', 'ifAbsent'])
  const { key, ifAbsent = false, ...owner } = options
  if (key === undefined) {
    throw new ConfigurationError('saveKey.key', 'saveKey: `key` is missing; pass the key to store.')
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
    // A higher generation tells other processes that the record was replaced.
    const generation = (before?.generation ?? 0) + 1
    await store.set(place, { ...record, generation })
    return isNothing ? {} : { replaced: kindOf(before) }
  })
}

function isSame(one: CredentialRecord, other: CredentialRecord): boolean {
  return one.provider === other.provider && isDeepStrictEqual(one.data, other.data)
}

/** The stored record. A record that cannot be read can be replaced too. */
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
