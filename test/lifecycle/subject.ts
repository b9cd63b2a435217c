/** The one place of these tests that knows the names of the library's interface. */
import {
  authorizedFetch,
  type Credential,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialStore,
  type FetchLike,
  perTenant,
  TokenManager,
  withCredentials,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

export { memoryStore }

export type Form = 'fetch' | 'transport' | 'manager' | 'tenants'

export interface SubjectOptions {
  readonly form: Form
  readonly resource: string
  readonly provider: (tenant: string | undefined) => CredentialProvider
  /** Names the tenant of the call that is being made. */
  readonly tenant: () => string
  readonly maxTenants: number
  readonly store: CredentialStore | undefined
  readonly fetch: FetchLike
  readonly onEvent: (event: CredentialEvent) => unknown
  readonly now: (() => number) | undefined
  readonly random: () => number
  readonly acquireTimeout: number | undefined
  readonly keepFresh: boolean
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

interface LogoutOptions {
  readonly registration?: boolean
}

/** What a person or an application can do to the library. */
export interface Subject {
  /** Sends a request; only a manager by itself cannot. */
  readonly fetch: ((input: string | URL, init?: RequestInit) => Promise<Response>) | undefined
  readonly current: (() => Credential | undefined) | undefined
  readonly credential: ((options: CallOptions) => Promise<Credential>) | undefined
  readonly login: (options: CallOptions) => Promise<unknown>
  readonly renew: ((options: CallOptions) => Promise<unknown>) | undefined
  readonly logout: (options?: LogoutOptions) => Promise<unknown>
  readonly close: () => Promise<void>
}

interface Owner {
  login?(options: CallOptions): Promise<unknown>
  renew?(options: CallOptions): Promise<unknown>
  logout?(options?: LogoutOptions): Promise<unknown>
  close?(): Promise<void>
  readonly manager?: TokenManager
}

export function makeSubject(options: SubjectOptions): Subject {
  const { form, resource, provider } = options
  const common = managerOptions(options)
  if (form === 'manager')
    return ofManager(new TokenManager(provider(undefined), { ...common, resource }))
  if (form === 'tenants') {
    const tenants = perTenant(options.tenant, provider, { maxTenants: options.maxTenants })
    return ofFetch(authorizedFetch(tenants, { ...common, resource }))
  }
  const one = provider(undefined)
  return form === 'fetch'
    ? ofFetch(authorizedFetch(one, { ...common, resource }))
    : ofTransport(withCredentials(one, { ...common, resource }))
}

/** The options are flat before the renewal's are grouped; one line of these two is right. */
function managerOptions(options: SubjectOptions): Record<string, unknown> {
  const { store, fetch, onEvent, now, random, acquireTimeout, keepFresh } = options
  const groups = acceptsGroups() ? { renewal: { keepFresh } } : { keepFresh }
  return {
    fetch,
    onEvent,
    random,
    ...groups,
    ...(store === undefined ? {} : { store }),
    ...(now === undefined ? {} : { now }),
    ...(acquireTimeout === undefined ? {} : { acquireTimeout }),
  }
}

let grouped: boolean | undefined

function acceptsGroups(): boolean {
  if (grouped !== undefined) return grouped
  try {
    const provider = { name: 'probe', acquire: async () => ({ apply() {} }) }
    const probe = { resource: 'https://localhost', renewal: { keepFresh: false } }
    authorizedFetch(provider, probe as object as { resource: string })
    grouped = true
  } catch {
    grouped = false
  }
  return grouped
}

function ofManager(manager: TokenManager): Subject {
  const owner = manager as object as Owner
  return {
    fetch: undefined,
    current: () => manager.current(),
    credential: (options) => manager.credential(options),
    login: (options) => manager.login(options),
    renew: owner.renew === undefined ? undefined : (options) => checked(owner.renew?.(options)),
    logout: (options) => manager.logout(options),
    close: () => manager.close(),
  }
}

function ofFetch(fetch: FetchLike, owned: object = fetch): Subject {
  const owner = owned as Owner
  // Read when it is called: with tenants it depends on the tenant.
  const from = <T extends 'login' | 'logout' | 'close'>(name: T): Owner =>
    owner[name] === undefined ? ((fetch as Owner).manager as object as Owner) : owner
  return {
    fetch: (input, init) => fetch(input, init),
    current: undefined,
    credential: undefined,
    login: async (options) => from('login').login?.(options),
    renew: undefined,
    logout: async (options) => from('logout').logout?.(options),
    close: async () => from('close').close?.(),
  }
}

function ofTransport(options: { readonly fetch: FetchLike }): Subject {
  return ofFetch(options.fetch, (options as Owner).close === undefined ? options.fetch : options)
}

function checked<T>(promise: Promise<T> | undefined): Promise<T> {
  return promise ?? Promise.reject(new Error('absent'))
}
