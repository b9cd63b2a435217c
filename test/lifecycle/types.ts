/** What a story is made of: its settings, its clients, and everything that is remembered of it. */
import type {
  AcquireContext,
  Credential,
  CredentialEvent,
  CredentialStore,
} from '../../src/index.ts'
import type { Form, Subject } from './subject.ts'
import type { VirtualTime } from './time.ts'

export type IssuerMode =
  | {
      readonly kind:
        | 'prompt'
        | 'no grant'
        | 'final'
        | 'login required'
        | 'no apply'
        | 'lost'
        | 'salvage'
    }
  | { readonly kind: 'slow' | 'slow start'; readonly seconds: number }
  | { readonly kind: 'fails'; readonly retryAfter: number | undefined }
  | { readonly kind: 'throws'; readonly what: 'text' | 'nothing' | 'type error' }
  | { readonly kind: 'odd'; readonly what: Oddity }
  | { readonly kind: 'never' | 'too late'; readonly committed: boolean }

export type Oddity =
  | 'expiresAt NaN'
  | 'expiresAt in seconds'
  | 'expiresAt text'
  | 'refreshAt in the past'
  | 'refreshAt NaN'
  | 'obtainedAt ahead'
  | 'expired'

export type ServerMode =
  | { readonly kind: 'ok' | 'always 401' | 'network error' | 'hangs' | 'event stream' }
  | { readonly kind: 'moved' | 'login page' }
  | { readonly kind: 'slow'; readonly seconds: number }
  | { readonly kind: 'unwilling'; readonly status: 429 | 503; readonly retryAfter: number }
  | { readonly kind: 'insufficient scope'; readonly names: 'honest' | 'random' | 'huge' }

/** `slow once`: the next read takes six seconds. */
export type StoreMode = 'ok' | 'slow' | 'slow once' | 'fails' | 'set fails' | 'delete fails'
export type RevokeMode = 'ok' | 'false' | 'throws' | 'rejects' | 'never'
export type ScopeMode = 'asked' | 'less' | 'nothing'

export interface Config {
  readonly form: Form
  readonly stored: boolean
  readonly keepFresh: boolean
  /** Only a person can begin a login. */
  readonly interactive: boolean
  readonly scoped: boolean
  /** The provider does not listen to its signal. */
  readonly ignoresSignal: boolean
  /** The clock is passed as an option, and not that of the process. */
  readonly ownClock: boolean
  /** Seconds; `undefined`: tokens do not expire. */
  readonly life: number | undefined
  readonly acquireTimeout: number | undefined
  readonly random: number
  readonly listener: Listener
}

export interface Listener {
  readonly on: CredentialEvent['type'] | 'any' | 'never'
  readonly does: 'throw' | 'reject' | 'login' | 'logout' | 'renew' | 'close' | 'credential'
}

/** One call of `acquire`. */
export interface Acquisition {
  readonly client: Client
  readonly tenant: string
  readonly order: number
  readonly at: number
  readonly counted: number
  readonly reason: AcquireContext['reason']
  readonly scope: string | undefined
  readonly interactive: boolean
  readonly retryAfter: number | undefined
  state: 'open' | 'delivered' | 'failed'
  retryable: boolean
  settledOrder: number
  settledAt: number
  /** A single-use grant was sent. */
  committed: boolean
  /** The provider has returned a credential that can be used. */
  answered: boolean
  /** The order in which the library reported its outcome. */
  reportedOrder: number
  token: Token | undefined
}

export interface Grant {
  readonly name: string
  readonly redeemedBy: Acquisition[]
  refused: boolean
}

export interface Token {
  readonly name: string
  readonly tenant: string
  readonly scope: string | undefined
  readonly grant: Grant
  readonly acquisition: Acquisition | undefined
  readonly order: number
  /** What the client was told; anything at all. */
  readonly expiresAt: unknown
  /** Nobody can say when it ends. */
  readonly isDoubtful: boolean
  /** It was all but over when it arrived, so it serves those who waited for it. */
  isLate: boolean
  /** When the server's refusal was reported, in elapsed time. */
  rejectedAt: number
  /** When the server stops to accept it, in milliseconds of the true time. */
  readonly diesAt: number
  revoked: boolean
  /** The library asked the issuer to revoke it. */
  revocationAsked: boolean
  storedOrder: number
}

/** A call into the library, which has to settle. */
export interface Call {
  readonly id: number
  readonly client: Client
  readonly what: 'request' | 'credential' | 'login' | 'renew' | 'logout' | 'close'
  readonly tenant: string
  readonly order: number
  readonly controller: AbortController | undefined
  readonly wants: string | undefined
  /** Its body can be sent once only. */
  readonly streamed: boolean
  /** A logout that also drops the registration of the client. */
  readonly drops: boolean
  sends: number
  lastToken: Token | undefined
  lastStatus: number
  /** The scopes that the server named last. */
  named: string | undefined
  alone: boolean
  aborted: boolean
  settled: boolean
  ok: boolean
  error: unknown
  status: number
  settledOrder: number
}

/** What is known of one tenant of one client; without tenants there is one. */
export interface TenantState {
  current: Token | undefined
  /** It was read from the store, by a manager that knows nothing of its history. */
  isStored: boolean
  delivered: Token | undefined
  restored: Token | undefined
  readonly acquisitions: Acquisition[]
  /** When, in counted time, something happened that allows another acquisition. */
  readonly allowances: number[]
  lastCall: number
  lastLogin: number
  loggedOutAt: number
  /** Until when, in elapsed time, rejections lead to no renewal. */
  pausedUntil: number
  /** The order of the last acquisition that nobody asked for. */
  lastBackground: number
  /** Whether the acquisition that was announced last is one in the background. */
  announcedBackground: boolean
  /** The orders of the calls of logout() that succeeded. */
  readonly logouts: number[]
  /** The order of the last call of logout() or close(), or of its end. */
  lastLogoutCall: number
  /** When people were asked to log in although nobody called `login()`, in elapsed time. */
  unaskedLogins: number[]
  /** The order in which the provider was last told to forget its registration. */
  lastForgotten: number
  /** How many managers were made, and how many have ended. */
  made: number
  ended: number
}

/** A process, or a part of one, that uses the library. */
export interface Client {
  readonly name: string
  readonly subject: Subject
  readonly tenantStates: Map<string, TenantState>
  readonly open: Set<Call>
  readonly rejected: Set<Token>
  readonly loggedOut: Set<Token>
  readonly closings: number[]
  closedAt: number
  closedElapsed: number
  closeResolved: boolean
  sawClosed: boolean
  acts: number
}

export interface World {
  readonly config: Config
  readonly time: VirtualTime
  readonly clients: Client[]
  readonly calls: Call[]
  readonly tokens: Map<string, Token>
  readonly violations: string[]
  readonly story: string[]
  readonly records: CredentialStore
  /** What rested in the store when somebody logged out, and the order of the end of that logout. */
  readonly ended: Map<Token, number>
  readonly holders: Map<string, number>
  /** Under which key the record of a tenant rests. */
  readonly keys: Map<string, string>
  readonly openBodies: Set<() => void>
  readonly shared: AbortController
  issuer: IssuerMode
  grants: ScopeMode
  revoke: RevokeMode
  server: ServerMode
  store: StoreMode
  /** How many seconds it takes to put a credential on a request. */
  applySeconds: number
  /** How many credentials are being put on a request. */
  applying: number
  dateOff: number
  /** The store lost something, so what it was to prevent may happen. */
  storeFailed: boolean
  /** The clock was set back, so that a newer login looks older than what another client has. */
  clockSetBack: boolean
  /** A record was deleted, so a credential in memory may have been renewed by another client unnoticed. */
  recordsDeleted: boolean
  healthy: boolean
  activeTenant: string
  orders: number
  frozenAnswers: boolean
  /** When the process was stopped last, in elapsed time. */
  lastFreeze: number
}

export type MadeCredential = Credential & { readonly token: Token }

export const resource = 'https://mcp.example.com/mcp'
export const limitOf = ({ config }: World): number =>
  (config.acquireTimeout ?? (config.interactive ? 300 : 30)) * 1000

/** Acquisitions of one manager within a second that nobody asked for by name. */
export const perSecond = 6

/** How many tenants are kept, at most. */
export const maxTenants = 2

export function nextOrder(world: World): number {
  world.orders += 1
  return world.orders
}

export function note(world: World, text: string): void {
  world.story.push(`${(world.time.elapsed() / 1000).toFixed(3)} s  ${text}`)
}

/** A search for what else is wrong: violations that match are passed over. */
const ignored = new RegExp(process.env['LIFE_IGNORE'] ?? '(?!)')

export function violate(world: World, text: string): void {
  if (ignored.test(text)) return
  if (world.violations.length > 5) return
  world.violations.push(text)
  note(world, `VIOLATION: ${text}`)
}

export function tenantStateOf(client: Client, tenant: string): TenantState {
  const known = client.tenantStates.get(tenant)
  if (known !== undefined) return known
  const tenantState: TenantState = {
    current: undefined,
    isStored: false,
    delivered: undefined,
    restored: undefined,
    acquisitions: [],
    allowances: [],
    lastCall: 0,
    lastLogin: 0,
    loggedOutAt: 0,
    pausedUntil: 0,
    lastBackground: 0,
    announcedBackground: false,
    logouts: [],
    lastLogoutCall: 0,
    unaskedLogins: [],
    lastForgotten: 0,
    made: 0,
    ended: 0,
  }
  client.tenantStates.set(tenant, tenantState)
  return tenantState
}
