/** What must always hold, whatever happens in whatever order. */
import type { AcquireContext, CredentialEvent } from '../../src/index.ts'
import { checkScope, checkStepUpMade, checkStepUps, checkWider } from './scope-invariants.ts'
import {
  type Acquisition,
  type Call,
  type Grant,
  limitOf,
  type Member,
  maxTenants,
  perSecond,
  type Seat,
  seatOf,
  type Token,
  tick,
  violate,
  type World,
} from './types.ts'

const perRequest = 4
const longestScope = 4000
const graceMs = 5000

/** An acquisition begins. */
export function checkStart(world: World, started: Acquisition, context: AcquireContext): void {
  const { member, tenant, scope = '' } = started
  const seat = seatOf(member, tenant)
  if (member.closedAt > 0) violate(world, `${member.name}: acquire is called after close()`)
  if (context.signal.aborted) violate(world, 'acquire is called although nobody waits any more')
  const callers = [...member.open].filter((call) => isOf(call, tenant))
  // A login goes on without the request that gave it up.
  const isPending = [...world.calls].some(
    ({ member: own, error }) => own === member && isLoginPending(error),
  )
  if (started.interactive && callers.length === 0 && !isPending) {
    violate(world, 'acquire is called on behalf of a caller, and there is none')
  }
  if (scope.length > longestScope)
    violate(world, `a scope of ${scope.length} characters is asked for`)
  // Whoever waited through a logout has a new login.
  if (callers.length > 0) seat.lastCall = started.order
  const isUnasked = !started.interactive && callers.length === 0
  if (isUnasked && seat.loggedOutAt > seat.lastCall) {
    violate(world, 'a manager goes on renewing after logout()')
  }
  if (isUnasked) checkKept(world, member, seat)
  if (started.interactive === seat.announcedBackground) {
    violate(world, 'an acquisition in the background may ask a person, or one for a caller may not')
  }
  if (started.reason !== 'insufficient_scope') checkScope(world, started)
  checkRate(world, seat, started)
  checkStepUps(world, seat, started)
}

function checkRate(world: World, seat: Seat, started: Acquisition): void {
  const since = started.counted - 1000
  const recent = seat.acquisitions.filter(({ counted }) => counted > since).length + 1
  const entitled = seat.entitlements.filter((counted) => counted > since).length
  if (recent > perSecond + entitled) {
    violate(world, `${recent} acquisitions in a second (${entitled} of them asked for)`)
  }
}

/** A single-use grant is sent. */
export function checkRedemption(
  world: World,
  now: Acquisition,
  grant: Grant,
  signal: AbortSignal,
): void {
  const { member } = now
  if (signal.aborted) violate(world, `${grant.name} is sent for an acquisition that was cancelled`)
  const elapsed = world.time.elapsed()
  const limit = limitOf(world)
  for (const earlier of grant.redeemedBy) {
    const isAbandoned =
      (earlier.settledAt === Infinity ? elapsed : earlier.settledAt) - earlier.at >= limit
    const isEnded = elapsed - earlier.member.closedElapsed >= graceMs
    const isFollower = earlier.member !== member || world.config.form === 'tenants'
    const isExcused =
      earlier.state === 'failed' ||
      isAbandoned ||
      (earlier.state === 'open' && isEnded) ||
      (isFollower && (world.storeFailed || world.recordsDeleted))
    if (isExcused) continue
    violate(world, `the single-use ${grant.name} is redeemed twice`)
  }
  for (const token of member.loggedOut) {
    if (token.grant === grant) violate(world, `${grant.name} is redeemed after its logout`)
  }
  const onAbort = () => {
    // Nobody hopes for an answer after twice the time that it may take.
    const isHopeless = world.time.counted() - now.counted >= 2 * limit
    if (now.state === 'open' && member.closedAt === 0 && !isHopeless) {
      violate(world, `the signal of an acquisition that sent ${grant.name} is aborted`)
    }
  }
  signal.addEventListener('abort', onAbort, { once: true })
}

/** A credential is put on a request: the moment at which it was chosen. */
export function checkApplied(world: World, member: Member, token: Token, headers: Headers): void {
  const { expiresAt, isDoubtful, isLate, name } = token
  const wall = world.time.wall()
  if (typeof expiresAt === 'number' && !isDoubtful && !isLate && wall >= expiresAt) {
    violate(world, `${name} is used ${wall - expiresAt} ms after it expired`)
  }
  // Who has just received it cannot know.
  const isKnown = member.rejected.has(token) && token.rejectedAt < world.time.elapsed()
  if (isKnown) violate(world, `${name} is used although it was rejected`)
  if (member.loggedOut.has(token)) violate(world, `${name} is used after its logout`)
  const tenant = headers.get('x-tenant') ?? ''
  if (tenant !== token.tenant) violate(world, `${name} of ${token.tenant} is used for ${tenant}`)
}

/** A request reaches the server. */
export function checkSent(
  world: World,
  member: Member,
  token: Token | undefined,
  call: Call | undefined,
): void {
  if (member.closedAt > 0) violate(world, `${member.name}: a request is sent after close()`)
  if (token !== undefined && member.loggedOut.has(token)) {
    violate(world, `${token.name} is sent after its logout`)
  }
  if (call?.aborted === true) violate(world, `#${call.id} is sent although it was aborted`)
}

/** A record is written. */
export function checkWritten(world: World, member: Member, token: Token | undefined): void {
  if (token !== undefined && member.loggedOut.has(token)) {
    violate(world, `the record of ${token.name} is written after its logout`)
  }
}

/** Somebody enters (1) or leaves (-1) a lock. */
export function checkLock(world: World, key: string, change: 1 | -1): void {
  const inside = (world.holders.get(key) ?? 0) + change
  world.holders.set(key, inside)
  if (inside > 1) violate(world, 'two are inside the lock of one record')
}

/** A logout has resolved. */
export function noteLogout(world: World, call: Call): void {
  const { member, tenant, order } = call
  const seat = seatOf(member, tenant)
  const isMine = (token: Token) =>
    token.acquisition?.member === member
      ? token.acquisition.order < order
      : token.storedOrder < order
  for (const token of world.tokens.values()) {
    // What the store lost or kept against its word may come back, and nobody can tell.
    if (token.tenant === tenant && isMine(token) && !world.storeFailed) member.loggedOut.add(token)
  }
  seat.loggedOutAt = call.settledOrder
  seat.logouts.push(order)
  seat.lastPerson = call.settledOrder
  // Whoever waited for the end of the logout asks then.
  const isWaiting = [...call.member.open].some(
    (other) => other !== call && other.what !== 'logout' && isOf(other, call.tenant),
  )
  if (isWaiting) seat.lastCall = tick(world)
  seat.current = undefined
}

/** What came for a grant that was sent before a logout is revoked. */
export function checkRevoked(world: World): void {
  if (world.config.stored) return
  for (const { seats, closedAt } of world.members) {
    for (const { acquisitions, logouts } of seats.values()) {
      for (const { token, answered, committed, order, settledOrder } of acquisitions) {
        if (!answered || !committed || token === undefined || token.revocationAsked) continue
        if (closedAt > 0 && closedAt < settledOrder) continue
        const isOutdated = logouts.some((logout) => order < logout && logout < settledOrder)
        if (isOutdated) violate(world, `${token.name} came after the logout and is not revoked`)
      }
    }
  }
}

/** Managers that are not needed any more are closed. */
export function checkManagers(world: World, { name, seats }: Member, most: number): void {
  let open = 0
  for (const { made, ended } of seats.values()) open += made - ended
  const allowed = world.config.form === 'tenants' ? most : Math.min(most, 1)
  if (open > allowed) violate(world, `${open} managers of ${name} are not closed`)
}

/** A call has settled. */
export function checkSettled(world: World, call: Call): void {
  const { member, tenant, what, order } = call
  const seat = seatOf(member, tenant)
  const mine = seat.acquisitions.filter((each) => each.order > order)
  if (call.alone && !world.config.keepFresh && what === 'request' && mine.length > perRequest) {
    violate(world, `${mine.length} acquisitions for one request`)
  }
  const code = (call.error as { code?: unknown } | undefined)?.code
  if (what === 'login' && code === 'login_required') {
    const wasAsked = seat.acquisitions.some(
      ({ interactive, settledOrder }) =>
        interactive && settledOrder > order && settledOrder < Infinity,
    )
    if (!wasAsked) violate(world, 'login() says that a login is required, and nobody was asked')
  }
  if (world.frozenAnswers && (code === 'timeout' || code === 'outcome_unknown')) {
    violate(world, `an answer that had come while the process was stopped is lost (${code})`)
  }
  if (
    what === 'request' &&
    call.status === 403 &&
    call.lastStatus === 403 &&
    call.wants !== undefined
  ) {
    checkWider(world, call, seat)
    checkStepUpMade(world, call, seat)
  }
}

/** The library reports something. */
export function checkEvent(world: World, member: Member, seat: Seat, event: CredentialEvent): void {
  if (event.type === 'acquire_success') {
    if (world.config.form !== 'tenants' && member.sawClosed) {
      violate(world, 'acquire_success comes after closed')
    }
    if (member.closeResolved) violate(world, 'acquire_success comes after close() resolved')
  }
  if (event.type !== 'acquire_failure' || !event.retryable) return
  const last = seat.acquisitions.at(-1)
  if (last?.retryAfter !== undefined || last?.reason === 'insufficient_scope') return
  const { retryIn, stillValidFor } = event
  if (stillValidFor > 0 && retryIn > Math.max(1, stillValidFor / 2)) {
    violate(world, `a pause of ${retryIn} s while the credential lasts ${stillValidFor} s`)
  }
}

function isOf(call: Call, tenant: string): boolean {
  return call.what !== 'close' && call.tenant === tenant
}

/** Tenants that renew although nobody asks are kept, and no more are kept than allowed. */
function checkKept(world: World, { seats }: Member, seat: Seat): void {
  seat.lastUnasked = tick(world)
  const lastCall = Math.max(...[...seats.values()].map((each) => each.lastCall))
  const kept = [...seats.values()].filter(({ lastUnasked }) => lastUnasked > lastCall)
  if (kept.length > maxTenants) violate(world, `${kept.length} tenants go on renewing`)
}

function isLoginPending(error: unknown): boolean {
  return (error as { reason?: unknown } | undefined)?.reason === 'login_pending'
}
