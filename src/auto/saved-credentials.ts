/**
 * What is in a store, without its secrets.
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
 * What a stored credential is, in words.
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
 * One credential of a store, without its secrets.
 *
 * @group Stored credentials
 */
export interface SavedCredential {
  /** The key of its record in the store. Do not show it: the URL in it may hold a secret. */
  readonly key: string
  /**
   * The server, fit to be shown: segments of its path that look like tokens are shortened, and of its query only plain
   * words are shown.
   */
  readonly resource: string
  /** The URL of the server, for a login or a logout. Do not show it: it may hold a secret. */
  readonly url: string
  /** The account, as the options of the client name it. */
  readonly account: string
  /** The key of the selection, where a selector such as `perTenant()` chose the provider. */
  readonly tenant?: string
  /** What it is, in words; `unknown` when its record cannot be read. */
  readonly kind: SavedKind
  /** The provider that wrote it; empty when its record cannot be read. */
  readonly provider: string
  /** The authorization server that issued it. */
  readonly issuer?: string
  /** The client that it was issued to. */
  readonly clientId?: string
  /** The scopes that were granted, as far as they are known. */
  readonly scopes: readonly string[]
  /** When it was issued or stored, in milliseconds since the epoch. */
  readonly obtainedAt?: number
  /** When it stops working unless it is renewed, in milliseconds since the epoch. Absent: not known. */
  readonly expiresAt?: number
  /** Whether it can be renewed without a person. */
  readonly renewable: boolean
  /** Why it cannot be used, in a sentence. Absent: nothing is known against it. */
  readonly problem?: string
}

/**
 * Lists the credentials of a store, sorted by server. Nothing in it is a secret, but `key` and `url` may hold a
 * path that is one. Registrations of clients and other notes of the library are left out; so are logins that were
 * begun and not finished.
 *
 * @throws `StoreError` when the store cannot be read. A single record that cannot is listed with a `problem`.
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
 * The URL of a server as `listSaved()` and the keys of records have it: the order of its query does not matter, and
 * a fingerprint stands for each value whose name says that it is secret.
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

/** What a record is, in words. */
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

/** Whose record it is; `undefined`: the key is none of a credential. */
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
  // Deleted meanwhile, or the mark of a login that has just begun.
  if (record === undefined || Object.keys(record.data).length === 0) return undefined
  return { ...owner, ...described(record) }
}

function described(record: CredentialRecord): Omit<SavedCredential, keyof Owner> {
  const { provider, issuer, obtainedAt, data, refused } = record
  const { clientId, scope, token, refreshToken } = data
  const kind = kindOf(record)
  // A token that is over still says when it ended.
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
      ? { problem: 'Its issuer has refused to renew it, so it ends when it expires.' }
      : {}),
  }
}
