/** Those who use the library: what they call, and what they receiveEvent. */
import type { Credential, CredentialEvent } from '../../src/index.ts'
import { checkEvent, checkSettled, noteLogout } from './invariants.ts'
import { issuerFor } from './issuer.ts'
import { checkDropped } from './login-invariants.ts'
import { checkNarrowing } from './scope-invariants.ts'
import { serve, storeFor } from './server.ts'
import { makeSubject } from './subject.ts'
import {
  type Acquisition,
  type Call,
  type Client,
  type Listener,
  maxTenants,
  nextOrder,
  note,
  perSecond,
  resource,
  tenantStateOf,
  violate,
  type World,
} from './types.ts'

/** Adds a client: the first one, a process beside it, or one after a restart. */
export function addClient(world: World, name: string): Client {
  const { config, time } = world
  let self: Client | undefined
  const client = (): Client => {
    if (self === undefined) throw new Error('used before it was made')
    return self
  }
  const subject = makeSubject({
    form: config.form,
    resource,
    provider: (tenant = '') => {
      if (self !== undefined) {
        const tenantState = tenantStateOf(self, tenant)
        tenantState.made += 1
        tenantState.unaskedLogins = []
        tenantState.allowances.push(time.counted())
        tenantState.lastLogin = nextOrder(world)
        tenantState.current = undefined
      }
      return issuerFor(world, client, tenant)
    },
    tenant: () => world.activeTenant,
    maxTenants,
    store: config.stored ? storeFor(world, client) : undefined,
    fetch: (input, init) => serve(world, client(), input, init),
    onEvent: (event) => (self === undefined ? undefined : receiveEvent(world, self, event)),
    now: config.ownClock ? time.wall : undefined,
    random: () => config.random,
    acquireTimeout: config.acquireTimeout,
    keepFresh: config.keepFresh,
  })
  self = {
    name,
    subject,
    tenantStates: new Map(),
    open: new Set(),
    rejected: new Set(),
    loggedOut: new Set(),
    closings: [],
    closedAt: 0,
    closedElapsed: Infinity,
    closeResolved: false,
    sawClosed: false,
    acts: 0,
  }
  if (config.form !== 'tenants') tenantStateOf(self, '').made = 1
  world.clients.push(self)
  return self
}

export interface CallOptions {
  readonly tenant: string
  readonly controller?: AbortController | undefined
  readonly wants?: string | undefined
  readonly streamed?: boolean
  readonly drops?: boolean
}

/** Starts a call, and checks it when it settles. */
export function begin(
  world: World,
  client: Client,
  what: Call['what'],
  options: CallOptions,
): Call {
  const { tenant, controller, wants } = options
  const call: Call = {
    id: world.calls.length + 1,
    client,
    what,
    tenant,
    order: nextOrder(world),
    controller,
    wants,
    streamed: options.streamed === true,
    drops: options.drops === true,
    sends: 0,
    lastToken: undefined,
    lastStatus: 0,
    named: undefined,
    alone: client.open.size === 0,
    aborted: false,
    settled: false,
    ok: false,
    error: undefined,
    status: 0,
    settledOrder: Infinity,
  }
  for (const other of client.open) other.alone = false
  world.calls.push(call)
  client.open.add(call)
  note(
    world,
    `${client.name}: #${call.id} ${what} ${tenant}${wants === undefined ? '' : ` for ${wants}`}`,
  )
  remember(world, client, call)
  world.activeTenant = tenant
  const settle = (ok: boolean, outcome: unknown) => finish(world, call, ok, outcome)
  let running: Promise<unknown>
  try {
    running = run(world, call, options)
  } catch (error) {
    violate(world, `${what}() throws instead of rejecting: ${String(error)}`)
    running = Promise.reject(error)
  }
  running.then(
    (value) => settle(true, value),
    (error: unknown) => settle(false, error),
  )
  return call
}

function remember(world: World, client: Client, { what, tenant, order }: Call): void {
  const tenantState = tenantStateOf(client, tenant)
  tenantState.lastCall = order
  if (what === 'logout' || what === 'close') tenantState.lastLogoutCall = order
  // A user who logs out starts anew.
  if (what === 'logout') tenantState.unaskedLogins = []
  if (what === 'close') {
    client.closedAt ||= order
    if (client.closedElapsed === Infinity) client.closedElapsed = world.time.elapsed()
  } else if (what !== 'request' && what !== 'credential') {
    // A login allows step-ups anew, and a logout too.
    const allowed = what === 'renew' ? 1 : 4
    tenantState.allowances.push(...Array.from({ length: allowed }, () => world.time.counted()))
    if (what === 'login') tenantState.lastLogin = order
  }
}

function run(world: World, call: Call, options: CallOptions): Promise<unknown> {
  const { subject } = call.client
  const signal = call.controller?.signal
  const how = signal === undefined ? {} : { signal }
  if (call.what === 'request') return request(world, call, options, signal)
  if (call.what === 'login') return subject.login(how)
  if (call.what === 'logout') return subject.logout(call.drops ? { registration: true } : {})
  if (call.what === 'close') return subject.close()
  if (call.what === 'renew') return subject.renew?.(how) ?? Promise.resolve()
  return subject.credential?.(how) ?? Promise.resolve()
}

async function request(
  world: World,
  call: Call,
  { tenant, wants, streamed }: CallOptions,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { subject } = call.client
  const headers = {
    'x-call': String(call.id),
    'Content-Type': 'application/json',
    ...(tenant === '' ? {} : { 'x-tenant': tenant }),
    ...(wants === undefined ? {} : { 'x-wants': wants }),
  }
  if (subject.fetch === undefined) return requestByHand(world, call, headers, signal)
  const body = streamed === true ? streamOf('{}') : '{"jsonrpc":"2.0"}'
  const extra = streamed === true ? { duplex: 'half' } : {}
  const init = {
    method: 'POST',
    headers,
    body,
    ...extra,
    ...(signal === undefined ? {} : { signal }),
  }
  const response = await subject.fetch(resource, init)
  call.status = response.status
  return response
}

/** A request of an application that uses a manager without our fetch. */
async function requestByHand(
  world: World,
  call: Call,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { subject } = call.client
  const how = signal === undefined ? {} : { signal }
  const credential: Credential | undefined =
    subject.current?.() ?? (await subject.credential?.(how))
  await credential?.apply({
    method: 'POST',
    url: new URL(resource),
    headers: new Headers(headers),
    body: undefined,
    streamed: false,
    attempt: 1,
    now: world.time.wall(),
    signal,
  })
  call.status = 200
  return undefined
}

function streamOf(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text))
      controller.close()
    },
  })
}

function finish(world: World, call: Call, ok: boolean, outcome: unknown): void {
  const { client } = call
  call.settled = true
  call.ok = ok
  call.settledOrder = nextOrder(world)
  if (!ok) call.error = outcome
  client.open.delete(call)
  const error = outcome as { code?: string; message?: string } | undefined
  const text = ok
    ? `is answered ${call.status || ''}`
    : `fails: ${error?.code} ${error?.message?.slice(0, 80)}`
  note(world, `${client.name}: #${call.id} ${call.what} ${text}`)
  if (call.what === 'logout') tenantStateOf(client, call.tenant).lastLogoutCall = call.settledOrder
  if (call.what === 'logout') tenantStateOf(client, call.tenant).unaskedLogins = []
  if (call.what === 'logout' && ok) {
    noteLogout(world, call)
    checkDropped(world, call, outcome)
  }
  if (call.what === 'close') client.closeResolved = true
  checkSettled(world, call)
}

/** Aborts a call; it has to settle before anything else happens. */
export function abort(world: World, call: Call): void {
  if (call.controller === undefined || call.settled) return
  tenantStateOf(call.client, call.tenant).allowances.push(world.time.counted())
  call.aborted = true
  note(world, `${call.client.name}: #${call.id} is aborted`)
  call.controller.abort(new DOMException('enough', 'AbortError'))
}

function receiveEvent(world: World, client: Client, event: CredentialEvent): unknown {
  const tenant = event.provider.startsWith('issuer-') ? event.provider.slice(7) : ''
  const tenantState = tenantStateOf(client, tenant)
  const { time: _time, resource: _resource, provider: _provider, ...details } = event
  note(world, `${client.name}: event ${JSON.stringify(details)}`)
  checkEvent(world, client, tenantState, event)
  if (event.type === 'acquire_start') tenantState.announcedBackground = event.background
  if (event.type === 'acquire_failure') reported(world, tenantState.acquisitions.at(-1))
  if (event.type === 'closed') {
    tenantState.ended += 1
    client.sawClosed = true
    // The manager of a tenant that was evicted starts anew.
    tenantState.lastLogin = nextOrder(world)
    tenantState.allowances.push(...Array.from({ length: perSecond }, () => world.time.counted()))
  }
  if (event.type === 'rejected' && !event.late && tenantState.current !== undefined) {
    client.rejected.add(tenantState.current)
    tenantState.current.rejectedAt = world.time.elapsed()
  }
  if (event.type === 'reject_ignored') {
    tenantState.pausedUntil = world.time.elapsed() + event.retryIn * 1000
  }
  if (event.type === 'acquire_success') {
    const token = event.source === 'network' ? tenantState.delivered : tenantState.restored
    if (event.source === 'network') reported(world, token?.acquisition)
    if (token !== undefined) {
      token.isLate ||= (event.expiresIn ?? 1) <= 0
      if (event.source === 'network') checkNarrowing(world, client, tenantState, token)
      client.rejected.delete(token)
    }
    tenantState.current = token
    tenantState.isStored = event.source !== 'network'
  }
  return runListener(world, client, tenant, event)
}

function reported(world: World, acquisition: Acquisition | undefined): void {
  if (acquisition !== undefined) acquisition.reportedOrder = nextOrder(world)
}

/** What a listener does of its own accord: a few times, or a story would not end. */
function runListener(
  world: World,
  client: Client,
  tenant: string,
  event: CredentialEvent,
): unknown {
  const { on, does }: Listener = world.config.listener
  if (world.healthy || (on !== 'any' && on !== event.type)) return undefined
  if (does === 'throw') throw new Error('a listener threw')
  if (does === 'reject') return Promise.reject(new Error('a listener rejected'))
  if (client.acts >= 3) return undefined
  client.acts += 1
  note(world, `${client.name}: its listener calls ${does}`)
  const before = world.activeTenant
  begin(world, client, does, { tenant, drops: does === 'logout' })
  world.activeTenant = before
  return undefined
}
