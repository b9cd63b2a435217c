/** The surroundings of one isolated test: a scripted provider, a scripted server, virtual time. */
import type {
  AcquireContext,
  Credential,
  CredentialEvent,
  CredentialProvider,
  CredentialStore,
  FetchLike,
} from '../../src/index.ts'
import { type Form, makeSubject, memoryStore, type Subject } from './subject.ts'
import { type VirtualTime, virtualTime } from './time.ts'
import { resource } from './types.ts'

export interface SceneOptions {
  readonly form?: Form
  readonly traits?: Partial<CredentialProvider>
  /** What the provider does, from its 1st call; the token's name is `token-1`, and so on. */
  readonly acquire: (context: AcquireContext, number: number, tenant: string) => Promise<Credential>
  /** The status with which the server answers a token. Default 200. */
  readonly server?: (token: string, number: number) => Response | Promise<Response>
  readonly store?: CredentialStore
  readonly keepFresh?: boolean
  readonly acquireTimeout?: number
  readonly random?: number
  readonly onEvent?: (event: CredentialEvent) => unknown
  readonly ownClock?: boolean
}

export interface Scene {
  readonly time: VirtualTime
  readonly subject: Subject
  readonly contexts: AcquireContext[]
  /** The tokens that reached the server, in order. */
  readonly sent: string[]
  /** The grants that were redeemed, in order. */
  readonly redeemed: string[]
  /** The tenant of the next call. */
  tenant: string
  request(signal?: AbortSignal): Promise<Response>
  /** Another program, or the same after a restart. */
  another(): Subject
}

const open: Scene[] = []

/** Gives the process its clocks back. */
export function closeScenes(): void {
  for (const scene of open.splice(0)) scene.time.restore()
}

export function createScene(options: SceneOptions): Scene {
  const time = virtualTime(() => {})
  const contexts: AcquireContext[] = []
  const sent: string[] = []
  const provider = (tenant = ''): CredentialProvider => ({
    name: 'scripted',
    ...options.traits,
    acquire(context) {
      contexts.push(context)
      return options.acquire(context, contexts.length, tenant)
    },
  })
  const serve: FetchLike = async (_input, init) => {
    if (init?.signal?.aborted === true) throw init.signal.reason
    const token = new Headers(init?.headers).get('Authorization') ?? 'none'
    sent.push(token)
    return options.server?.(token, sent.length) ?? new Response('fine')
  }
  const make = (): Subject =>
    makeSubject({
      form: options.form ?? 'fetch',
      resource,
      provider,
      tenant: () => scene.tenant,
      maxTenants: 1,
      store: options.store,
      fetch: serve,
      onEvent: (event) => options.onEvent?.(event),
      now: options.ownClock === true ? time.wall : undefined,
      random: () => options.random ?? 0.5,
      acquireTimeout: options.acquireTimeout,
      keepFresh: options.keepFresh ?? false,
    })
  const subject = make()
  const scene: Scene = {
    time,
    subject,
    contexts,
    sent,
    redeemed: [],
    tenant: 'a',
    request(signal) {
      const init = signal === undefined ? {} : { signal }
      const send = subject.fetch ?? (() => Promise.reject(new Error('this form sends nothing')))
      return send(resource, { method: 'POST', body: '{"jsonrpc":"2.0"}', ...init })
    },
    another: make,
  }
  open.push(scene)
  return scene
}

/** A token of some life in seconds; its grant has the token's name. */
export function token(
  { now }: Pick<AcquireContext, 'now'>,
  name: string,
  life: number | 'none' = 3600,
  extra: Partial<Credential> = {},
): Credential {
  const times = {
    obtainedAt: now(),
    ...(life === 'none' ? {} : { expiresAt: now() + life * 1000 }),
  }
  return {
    ...times,
    record: { version: 1, provider: 'scripted', ...times, data: { refreshToken: name } },
    apply: ({ headers }) => headers.set('Authorization', name),
    ...extra,
  }
}

/** The grant that the credential to be replaced carries. */
export function grantOf({ previous }: AcquireContext): string | undefined {
  const grant = previous?.record?.data['refreshToken']
  return typeof grant === 'string' ? grant : undefined
}

/** Rebuilds what {@link token} made. */
export const restore: NonNullable<CredentialProvider['restore']> = (record, { now }) => {
  const { expiresAt, obtainedAt = now() } = record
  return {
    obtainedAt,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    record,
    apply: ({ headers }) => headers.set('Authorization', String(record.data['refreshToken'])),
  }
}

/** A store whose reads take two seconds. */
export function slowStore(time: () => VirtualTime): CredentialStore {
  const inner = memoryStore()
  return {
    ...inner,
    async get(key) {
      const record = await inner.get(key)
      await time().sleep(2000)
      return record
    },
  }
}

/** A 403 that names scopes. */
export function insufficient(scope: string): Response {
  const challenge = `Bearer error="insufficient_scope", scope="${scope}"`
  return new Response('', { status: 403, headers: { 'WWW-Authenticate': challenge } })
}

/** What becomes of a promise, without waiting for it. */
export function outcome(promise: Promise<unknown>): { state: string; value?: unknown } {
  const seen: { state: string; value?: unknown } = { state: 'open' }
  promise.then(
    (value) => Object.assign(seen, { state: 'fulfilled', value }),
    (value) => Object.assign(seen, { state: 'rejected', value }),
  )
  return seen
}
