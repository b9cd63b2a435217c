/** Those who use the library: what they call, and what they hear. */
import type { Credential, CredentialEvent } from '../../src/index.ts'
import { checkEvent, checkSettled, noteLogout } from './invariants.ts'
import { issuerFor } from './issuer.ts'
import { checkNarrowing } from './scope-invariants.ts'
import { serve, storeFor } from './server.ts'
import { makeSubject } from './subject.ts'
import {
  type Acquisition,
  type Call,
  type Listener,
  type Member,
  maxTenants,
  note,
  perSecond,
  resource,
  seatOf,
  tick,
  violate,
  type World,
} from './types.ts'

/** Adds somebody who uses the library: the first, a process beside it, or one after a restart. */
export function join(world: World, name: string): Member {
  const { config, time } = world
  let self: Member | undefined
  const member = (): Member => {
    if (self === undefined) throw new Error('used before it was made')
    return self
  }
  const subject = makeSubject({
    form: config.form,
    resource,
    provider: (tenant = '') => {
      if (self !== undefined) {
        const seat = seatOf(self, tenant)
        seat.made += 1
        seat.entitlements.push(time.counted())
        seat.lastPerson = tick(world)
        seat.current = undefined
      }
      return issuerFor(world, member, tenant)
    },
    tenant: () => world.turn,
    maxTenants,
    store: config.stored ? storeFor(world, member) : undefined,
    fetch: (input, init) => serve(world, member(), input, init),
    onEvent: (event) => (self === undefined ? undefined : hear(world, self, event)),
    now: config.ownClock ? time.wall : undefined,
    random: () => config.random,
    acquireTimeout: config.acquireTimeout,
    keepFresh: config.keepFresh,
  })
  self = {
    name,
    subject,
    seats: new Map(),
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
  if (config.form !== 'tenants') seatOf(self, '').made = 1
  world.members.push(self)
  return self
}

export interface CallOptions {
  readonly tenant: string
  readonly controller?: AbortController | undefined
  readonly wants?: string | undefined
  readonly streamed?: boolean
}

/** Calls something, and keeps an eye on it until it settles. */
export function begin(
  world: World,
  member: Member,
  what: Call['what'],
  options: CallOptions,
): Call {
  const { tenant, controller, wants } = options
  const call: Call = {
    id: world.calls.length + 1,
    member,
    what,
    tenant,
    order: tick(world),
    controller,
    wants,
    streamed: options.streamed === true,
    sends: 0,
    lastToken: undefined,
    lastStatus: 0,
    named: undefined,
    alone: member.open.size === 0,
    aborted: false,
    settled: false,
    ok: false,
    error: undefined,
    status: 0,
    settledOrder: Infinity,
  }
  for (const other of member.open) other.alone = false
  world.calls.push(call)
  member.open.add(call)
  note(
    world,
    `${member.name}: #${call.id} ${what} ${tenant}${wants === undefined ? '' : ` for ${wants}`}`,
  )
  remember(world, member, call)
  world.turn = tenant
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

function remember(world: World, member: Member, { what, tenant, order }: Call): void {
  const seat = seatOf(member, tenant)
  seat.lastCall = order
  if (what === 'logout' || what === 'close') seat.lastLogoutCall = order
  if (what === 'close') {
    member.closedAt ||= order
    if (member.closedElapsed === Infinity) member.closedElapsed = world.time.elapsed()
  } else if (what !== 'request' && what !== 'credential') {
    // A login allows step-ups anew, and a logout too.
    const allowed = what === 'renew' ? 1 : 4
    seat.entitlements.push(...Array.from({ length: allowed }, () => world.time.counted()))
    if (what === 'login') seat.lastPerson = order
  }
}

function run(world: World, call: Call, options: CallOptions): Promise<unknown> {
  const { subject } = call.member
  const signal = call.controller?.signal
  const how = signal === undefined ? {} : { signal }
  if (call.what === 'request') return request(world, call, options, signal)
  if (call.what === 'login') return subject.login(how)
  if (call.what === 'logout') return subject.logout()
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
  const { subject } = call.member
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

/** What somebody does who has a manager alone. */
async function requestByHand(
  world: World,
  call: Call,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { subject } = call.member
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
  const { member } = call
  call.settled = true
  call.ok = ok
  call.settledOrder = tick(world)
  if (!ok) call.error = outcome
  member.open.delete(call)
  const error = outcome as { code?: string; message?: string } | undefined
  const text = ok
    ? `is answered ${call.status || ''}`
    : `fails: ${error?.code} ${error?.message?.slice(0, 80)}`
  note(world, `${member.name}: #${call.id} ${call.what} ${text}`)
  if (call.what === 'logout') seatOf(member, call.tenant).lastLogoutCall = call.settledOrder
  if (call.what === 'logout' && ok) noteLogout(world, call)
  if (call.what === 'close') member.closeResolved = true
  checkSettled(world, call)
}

/** Aborts a call; it has to settle before anything else happens. */
export function abort(world: World, call: Call): void {
  if (call.controller === undefined || call.settled) return
  seatOf(call.member, call.tenant).entitlements.push(world.time.counted())
  call.aborted = true
  note(world, `${call.member.name}: #${call.id} is aborted`)
  call.controller.abort(new DOMException('enough', 'AbortError'))
}

function hear(world: World, member: Member, event: CredentialEvent): unknown {
  const tenant = event.provider.startsWith('issuer-') ? event.provider.slice(7) : ''
  const seat = seatOf(member, tenant)
  const { time: _time, resource: _resource, provider: _provider, ...details } = event
  note(world, `${member.name}: event ${JSON.stringify(details)}`)
  checkEvent(world, member, seat, event)
  if (event.type === 'acquire_start') seat.announcedBackground = event.background
  if (event.type === 'acquire_failure') reported(world, seat.acquisitions.at(-1))
  if (event.type === 'closed') {
    seat.ended += 1
    member.sawClosed = true
    // The manager of a tenant that was evicted starts anew.
    seat.lastPerson = tick(world)
    seat.entitlements.push(...Array.from({ length: perSecond }, () => world.time.counted()))
  }
  if (event.type === 'rejected' && !event.late && seat.current !== undefined) {
    member.rejected.add(seat.current)
    seat.current.rejectedAt = world.time.elapsed()
  }
  if (event.type === 'reject_ignored') {
    seat.pausedUntil = world.time.elapsed() + event.retryIn * 1000
  }
  if (event.type === 'acquire_success') {
    const token = event.source === 'network' ? seat.delivered : seat.restored
    if (event.source === 'network') reported(world, token?.acquisition)
    if (token !== undefined) {
      token.isLate ||= (event.expiresIn ?? 1) <= 0
      if (event.source === 'network') checkNarrowing(world, member, seat, token)
      member.rejected.delete(token)
    }
    seat.current = token
    seat.isStored = event.source !== 'network'
  }
  return react(world, member, tenant, event)
}

function reported(world: World, acquisition: Acquisition | undefined): void {
  if (acquisition !== undefined) acquisition.reportedOrder = tick(world)
}

/** What a listener does of its own accord: a few times, or a story would not end. */
function react(world: World, member: Member, tenant: string, event: CredentialEvent): unknown {
  const { on, does }: Listener = world.config.listener
  if (world.healthy || (on !== 'any' && on !== event.type)) return undefined
  if (does === 'throw') throw new Error('a listener threw')
  if (does === 'reject') return Promise.reject(new Error('a listener rejected'))
  if (member.acts >= 3) return undefined
  member.acts += 1
  note(world, `${member.name}: its listener calls ${does}`)
  const before = world.turn
  begin(world, member, does, { tenant })
  world.turn = before
  return undefined
}
