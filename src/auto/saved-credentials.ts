/**
 * Lists the credentials of a store, without their secrets.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isCredentialError } from '../errors.ts'
import { printable, serverKey, serverLabel } from '../labels.ts'
import { loginProviders } from '../oauth/login-providers.ts'
import { jwtExpiry } from '../providers/bearer.ts'
import { keyWords, type StoredKey, storedKeyProvider } from '../providers/stored-key.ts'

/**
 * The kind of a stored credential.
 *
 * @group Stored credentials
 */
export type SavedKind =
  | 'login'
  | 'client credentials'
  | 'API key'
  | 'bearer token'
  | 'password'
  | 'headers'
  | 'HMAC key'
  | 'JWT key'
  | 'credential'
  | 'unknown'

/**
 * A stored credential, without its secrets.
 *
 * @group Stored credentials
 */
export interface SavedCredential {
  /** The key of its record in the store. Do not show it: the URL in it may contain a secret. */
  readonly key: string
  /**
   * The server, safe to show: token-like path segments are shortened, and of the query only plain words are
   * shown.
   */
  readonly resource: string
  /** The URL of the server, for a login or a logout. Do not show it: it may contain a secret. */
  readonly url: string
  /** The account, as in the options of the client. */
  readonly account: string
  /** The key of the selection, if a selector such as `perTenant()` chose the provider. */
  readonly tenant?: string
  /** Its kind; `unknown`: its record cannot be read. */
  readonly kind: SavedKind
  /** The provider that stored it; empty: its record cannot be read. */
  readonly provider: string
  /** The authorization server that issued it. */
  readonly issuer?: string
  /** The client that it was issued to. */
  readonly clientId?: string
  /** The granted scopes, if they are known. */
  readonly scopes: readonly string[]
  /** When it was issued or stored, in milliseconds since the epoch. */
  readonly obtainedAt?: number
  /** When it expires unless it is renewed, in milliseconds since the epoch. Absent: not known. */
  readonly expiresAt?: number
  /** Whether it can be renewed without the user. */
  readonly renewable: boolean
  /** Why it cannot be used, in one sentence. Absent: no problem is known. */
  readonly problem?: string
}

/**
 * Lists the credentials of a store, sorted by server. The result contains no secrets, except that the paths
 * in `key` and `url` may be secret. Client registrations, other internal records and unfinished logins are
 * left out.
 *
 * @throws `StoreError` when the store cannot be read. A record that cannot be read is listed with a
 *   `problem`.
 *
 * @example
 * ```ts
 * import { defaultStore, listSaved } from 'mcp-credentials/auto'
 *
 * for (const { resource, account, kind } of await listSaved(defaultStore())) {
 *   console.log(resource, account, kind)
 * }
 * ```
 * @group Stored credentials
 */
export async function listSaved(store: CredentialStore): Promise<readonly SavedCredential[]> {
  const owners = (await store.list()).flatMap((key) => ownerOf(key) ?? [])
  const saved: SavedCredential[] = []
  for (const owner of owners) {
    const summary = await summaryOf(store, owner)
    if (summary !== undefined) saved.push(summary)
  }
  return saved.sort((left, right) => (left.key < right.key ? -1 : 1))
}

/**
 * Returns the URL of a server in the form of `listSaved()` and of record keys: the order of the query does
 * not matter, and secret values are replaced by fingerprints.
 *
 * @example
 * ```ts
 * import { defaultStore, listSaved, savedUrl } from 'mcp-credentials/auto'
 *
 * const saved = await listSaved(defaultStore())
 * const server = savedUrl('https://mcp.example.com/mcp')
 * const loggedIn = saved.some(({ url }) => url === server)
 * ```
 * @group Stored credentials
 */
export function savedUrl(server: string | URL): string {
  return serverKey(new URL(server))
}

/** The kind of a record. */
export function kindOf({ provider, data }: CredentialRecord): SavedKind {
  if (provider === storedKeyProvider) {
    const { type } = data as { readonly type?: unknown }
    return Object.hasOwn(keyWords, String(type))
      ? keyWords[type as StoredKey['type']]
      : 'credential'
  }
  if (loginProviders.has(provider)) return 'login'
  return provider === 'clientCredentials' ? 'client credentials' : 'credential'
}

type Owner = Pick<SavedCredential, 'key' | 'resource' | 'url' | 'account' | 'tenant'>

/** The owner of a record; `undefined`: the key does not belong to a credential. */
function ownerOf(key: string): Owner | undefined {
  const [url = '', account, tenant, ...more] = key.split(' | ')
  if (account === undefined || more.length > 0 || !URL.canParse(url)) return undefined
  if (!/^https?:/.test(url) || serverKey(new URL(url)) !== url) return undefined
  const owner = { key, resource: serverLabel(url), url, account }
  return tenant === undefined ? owner : { ...owner, tenant: decoded(tenant) }
}

function decoded(tenant: string): string {
  try {
    return decodeURIComponent(tenant)
  } catch {
    return tenant
  }
}

async function summaryOf(
  store: CredentialStore,
  owner: Owner,
): Promise<SavedCredential | undefined> {
  let record: CredentialRecord | undefined
  try {
    record = await store.get(owner.key)
  } catch (error) {
    if (!isCredentialError(error, 'store') || error.reason !== 'unusable_record') throw error
    const { message: problem } = error
    return { ...owner, kind: 'unknown', provider: '', scopes: [], renewable: false, problem }
  }
  // Deleted meanwhile, or the record of a login in progress.
  if (record === undefined || Object.keys(record.data).length === 0) return undefined
  return { ...owner, ...described(record) }
}

function described(record: CredentialRecord): Omit<SavedCredential, keyof Owner> {
  const { provider, issuer, obtainedAt, data, refused } = record
  const { clientId, scope, token, refreshToken } = data
  const kind = kindOf(record)
  // An expired token still contains its expiry.
  const stated = kind === 'bearer token' ? jwtExpiry(String(token), 0) : undefined
  const expiresAt = record.expiresAt ?? stated
  const isLogin = kind === 'login'
  const canRenew = isLogin ? refreshToken !== undefined : provider !== storedKeyProvider
  return {
    kind,
    provider: printable(provider),
    ...(issuer === undefined ? {} : { issuer: printable(issuer) }),
    ...(typeof clientId === 'string' ? { clientId: printable(clientId) } : {}),
    scopes: typeof scope === 'string' ? printable(scope).split(' ').filter(Boolean) : [],
    ...(obtainedAt === undefined ? {} : { obtainedAt }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    renewable: canRenew && refused !== true,
    ...(refused === true
      ? { problem: 'Its issuer refused to renew it, so it cannot be used after it expires.' }
      : {}),
  }
}
