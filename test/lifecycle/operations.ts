/** Everything that can happen, in random order. */
import fc from 'fast-check'
import { situation } from './situations.ts'
import type { Config, IssuerMode, Listener, ServerMode, StoreMode } from './types.ts'

export type Operation =
  | {
      readonly do: 'request'
      readonly tenant: string
      readonly abort: 'never' | 'before' | 'later'
      readonly streamed: boolean
      readonly wants: string | undefined
      readonly shared: boolean
    }
  | {
      readonly do: 'burst'
      readonly tenant: string
      readonly count: number
      readonly together: boolean
      readonly shared: boolean
      readonly wants: string | undefined
    }
  | {
      readonly do: 'login' | 'renew' | 'credential'
      readonly tenant: string
      readonly abortable: boolean
      readonly peer: boolean
    }
  | {
      readonly do: 'logout'
      readonly tenant: string
      readonly peer: boolean
      readonly registration: boolean
    }
  | { readonly do: 'peer request'; readonly tenant: string }
  | { readonly do: 'close' | 'restart' | 'abort' | 'abort shared' | 'server revokes' }
  | { readonly do: 'advance' | 'jump' | 'freeze'; readonly seconds: number }
  | { readonly do: 'issuer'; readonly mode: IssuerMode }
  | { readonly do: 'server'; readonly mode: ServerMode }
  | { readonly do: 'approach renewal'; readonly tenant: string }
  | { readonly do: 'apply'; readonly seconds: number }
  | { readonly do: 'store'; readonly mode: StoreMode }
  | { readonly do: 'grants'; readonly mode: 'asked' | 'less' | 'nothing' }
  | { readonly do: 'revocation'; readonly mode: 'ok' | 'false' | 'throws' | 'rejects' | 'never' }
  | { readonly do: 'date'; readonly seconds: number }
  | { readonly do: 'another program writes' | 'another program deletes'; readonly tenant: string }

export interface Story {
  readonly config: Config
  readonly operations: readonly Operation[]
}

const often = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(usual) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
  )

const anyListener: fc.Arbitrary<Listener> = fc.record({
  on: often<Listener['on']>(
    'never',
    'any',
    'acquire_start',
    'acquire_success',
    'acquire_failure',
    'login_required',
    'rejected',
    'logged_out',
    'closed',
    'cooldown',
    'request_retry',
  ),
  does: fc.constantFrom<Listener['does']>(
    'throw',
    'reject',
    'login',
    'login',
    'logout',
    'renew',
    'close',
    'credential',
  ),
})

/** What applications do in listeners most of all. */
const listener = fc.oneof(
  { weight: 9, arbitrary: anyListener },
  { weight: 1, arbitrary: fc.constant<Listener>({ on: 'login_required', does: 'login' }) },
)

const settings: fc.Arbitrary<Config> = fc
  .record({
    form: fc.constantFrom<Config['form']>('fetch', 'fetch', 'transport', 'manager', 'tenants'),
    stored: fc.boolean(),
    keepFresh: fc.boolean(),
    interactive: often(false, true),
    scoped: fc.boolean(),
    ignoresSignal: fc.boolean(),
    ownClock: fc.boolean(),
    life: often<number | undefined>(3600, undefined, 60, 300, 900),
    random: fc.constantFrom(0.3, 0.5, 0.99),
    listener,
  })
  .map((chosen) => ({ ...chosen, acquireTimeout: chosen.interactive ? 20 : undefined }))

const issuer: fc.Arbitrary<IssuerMode> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<IssuerMode>({ kind: 'prompt' }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('slow' as const, 'slow start' as const),
      seconds: fc.constantFrom(0.05, 2, 8, 25),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fails' as const),
      retryAfter: fc.constantFrom(undefined, undefined, 20),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'final' as const,
        'login required' as const,
        'no grant' as const,
        'no apply' as const,
        'lost' as const,
        'salvage' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('throws' as const),
      what: fc.constantFrom('text' as const, 'nothing' as const, 'type error' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('odd' as const),
      what: fc.constantFrom(
        'expiresAt NaN' as const,
        'expiresAt in seconds' as const,
        'expiresAt text' as const,
        'refreshAt in the past' as const,
        'refreshAt NaN' as const,
        'obtainedAt ahead' as const,
        'expired' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('never' as const, 'too late' as const),
      committed: fc.boolean(),
    }),
  },
)

const server: fc.Arbitrary<ServerMode> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<ServerMode>({ kind: 'ok' }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'always 401' as const,
        'always 401' as const,
        'network error' as const,
        'hangs' as const,
        'event stream' as const,
        'moved' as const,
        'login page' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('slow' as const), seconds: fc.constantFrom(3, 20) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('unwilling' as const),
      status: fc.constantFrom(429 as const, 503 as const),
      retryAfter: fc.constantFrom(1, 30, 9999),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('insufficient scope' as const),
      names: fc.constantFrom('honest' as const, 'random' as const, 'huge' as const),
    }),
  },
)

const tenant = fc.constantFrom('a', 'b', 'c')
const wants = often<string | undefined>(undefined, 'read write')
const seconds = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0.001, 0.3, 1, 3, 6, 12, 31, 61) },
  { weight: 2, arbitrary: fc.constantFrom(270, 295, 601, 1500, 3300, 3595) },
  { weight: 1, arbitrary: fc.constantFrom(7200, 6 * 3600) },
)
const hours = fc.constantFrom(-6 * 3600, -3600, -600, 600, 3600, 6 * 3600)
const plain = <T extends Operation>(operation: T): fc.Arbitrary<T> => fc.constant(operation)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      tenant,
      abort: often<'never' | 'before' | 'later'>('never', 'before', 'later'),
      streamed: often(false, true),
      wants,
      shared: often(false, true),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('burst' as const),
      tenant,
      count: fc.constantFrom(2, 9, 12),
      together: fc.boolean(),
      shared: fc.boolean(),
      wants,
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('login' as const, 'renew' as const, 'credential' as const),
      tenant,
      abortable: fc.boolean(),
      peer: often(false, true),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('logout' as const),
      tenant,
      peer: often(false, true),
      registration: often(false, true),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('peer request' as const), tenant }) },
  { weight: 1, arbitrary: plain({ do: 'close' }) },
  { weight: 1, arbitrary: plain({ do: 'restart' }) },
  { weight: 4, arbitrary: plain({ do: 'abort' }) },
  { weight: 1, arbitrary: plain({ do: 'abort shared' }) },
  { weight: 3, arbitrary: plain({ do: 'server revokes' }) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('advance' as const), seconds }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('jump' as const), seconds: hours }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('freeze' as const),
      seconds: fc.constantFrom(5, 40, 400),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('issuer' as const), mode: issuer }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('server' as const), mode: server }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('store' as const),
      mode: fc.constantFrom(
        'ok' as const,
        'slow' as const,
        'slow once' as const,
        'fails' as const,
        'set fails' as const,
        'delete fails' as const,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('grants' as const),
      mode: fc.constantFrom('asked' as const, 'less' as const, 'nothing' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('revocation' as const),
      mode: fc.constantFrom(
        'ok' as const,
        'false' as const,
        'throws' as const,
        'rejects' as const,
        'never' as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('date' as const), seconds: hours }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('apply' as const), seconds: fc.constantFrom(0, 3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('approach renewal' as const), tenant }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('another program writes' as const, 'another program deletes' as const),
      tenant,
    }),
  },
)

/** Mostly single operations; now and then a sequence that belongs together. */
const part: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  { weight: 20, arbitrary: operation.map((one) => [one]) },
  { weight: 1, arbitrary: situation },
)

export const stories: fc.Arbitrary<Story> = fc.record({
  config: settings,
  operations: fc.array(part, { minLength: 20, maxLength: 50 }).map((parts) => parts.flat()),
})
