/** What must always hold, whatever happens in whatever order. */
import type { AcquireContext, CredentialEvent } from '../../src/index.ts'
import { checkNewest } from './newest-login.ts'
import { checkScope, checkStepUpMade, checkStepUps, checkWider } from './scope-invariants.ts'
import {
  type Acquisition,
  type Call,
  type Client,
  type Grant,
  limitOf,
  maxTenants,
  nextOrder,
  perSecond,
  type TenantState,
  type Token,
  tenantStateOf,
  violate,
  type World,
} from './types.ts'

const perRequest = 4
const longestScope = 4000
const graceMs = 5000

/** An acquisition begins. */
export function checkStart(world: World, started: Acquisition, context: AcquireContext): void {
  const { client, tenant, scope = '' } = started
  const tenantState = tenantStateOf(client, tenant)
  if (client.closedAt > 0) violate(world, `${client.name}: acquire is called after close()`)
  if (context.signal.aborted) violate(world, 'acquire is called although nobody waits any more')
  const callers = [...client.open].filter((call) => isOf(call, tenant))
  // A login goes on without the request that gave it up.
  const isPending = [...world.calls].some(
    ({ client: own, error }) => own === client && isLoginPending(error),
  )
  if (started.interactive && callers.length === 0 && !isPending) {
    violate(world, 'acquire is called on behalf of a caller, and there is none')
  }
  if (scope.length > longestScope)
    violate(world, `a scope of ${scope.length} characters is asked for`)
  // A caller that waited for a logout asks anew.
  if (callers.length > 0) tenantState.lastCall = started.order
  const inBackground = !started.interactive && callers.length === 0
  if (inBackground && tenantState.loggedOutAt > tenantState.lastCall) {
    violate(world, 'a manager goes on renewing after logout()')
  }
  if (inBackground) checkKept(world, client, tenantState)
  if (started.interactive === tenantState.announcedBackground) {
    violate(world, 'an acquisition in the background may ask a person, or one for a caller may not')
  }
  if (started.reason !== 'insufficient_scope') checkScope(world, started)
  checkRate(world, tenantState, started)
  checkStepUps(world, tenantState, started)
}

function checkRate(world: World, tenantState: TenantState, started: Acquisition): void {
  const since = started.counted - 1000
  const recent = tenantState.acquisitions.filter(({ counted }) => counted > since).length + 1
  const allowed = tenantState.allowances.filter((counted) => counted > since).length
  if (recent > perSecond + allowed) {
    violate(world, `${recent} acquisitions in a second (${allowed} of them asked for)`)
  }
}

/** A single-use grant is sent. */
export function checkRedemption(
  world: World,
  now: Acquisition,
  grant: Grant,
  signal: AbortSignal,
): void {
  const { client } = now
  checkNewest(world, now.tenant, grant)
  if (signal.aborted) violate(world, `${grant.name} is sent for an acquisition that was cancelled`)
  const elapsed = world.time.elapsed()
  const limit = limitOf(world)
  for (const earlier of grant.redeemedBy) {
    const isAbandoned =
      (earlier.settledAt === Infinity ? elapsed : earlier.settledAt) - earlier.at >= limit
    const isEnded = elapsed - earlier.client.closedElapsed >= graceMs
    const isFollower = earlier.client !== client || world.config.form === 'tenants'
    const isExcused =
      earlier.state === 'failed' ||
      isAbandoned ||
      (earlier.state === 'open' && isEnded) ||
      (isFollower && (world.storeFailed || world.recordsDeleted))
    if (isExcused) continue
    violate(world, `the single-use ${grant.name} is redeemed twice`)
  }
  for (const [token, endedOrder] of world.ended) {
    if (token.grant === grant && now.order > endedOrder && !mayReturn(world)) {
      violate(world, `${grant.name} is redeemed after another client has logged out`)
    }
  }
  for (const token of client.loggedOut) {
    if (token.grant === grant) violate(world, `${grant.name} is redeemed after its logout`)
  }
  const onAbort = () => {
    // An answer is not waited for after twice the time that it may take.
    const isHopeless = world.time.counted() - now.counted >= 2 * limit
    if (now.state === 'open' && client.closedAt === 0 && !isHopeless) {
      violate(world, `the signal of an acquisition that sent ${grant.name} is aborted`)
    }
  }
  signal.addEventListener('abort', onAbort, { once: true })
}

/** A credential is put on a request: the moment at which it was chosen. */
export function checkApplied(world: World, client: Client, token: Token, headers: Headers): void {
  const { expiresAt, isDoubtful, isLate, name } = token
  const wall = client.now()
  if (typeof expiresAt === 'number' && !isDoubtful && !isLate && wall >= expiresAt) {
    violate(world, `${name} is used ${wall - expiresAt} ms after it expired`)
  }
  // Who has just received it cannot know.
  const isKnown = client.rejected.has(token) && token.rejectedAt < world.time.elapsed()
  if (isKnown) violate(world, `${name} is used although it was rejected`)
  if (client.loggedOut.has(token)) violate(world, `${name} is used after its logout`)
  const tenant = headers.get('x-tenant') ?? ''
  if (tenant !== token.tenant) violate(world, `${name} of ${token.tenant} is used for ${tenant}`)
}

/** A request reaches the server. */
export function checkSent(
  world: World,
  client: Client,
  token: Token | undefined,
  call: Call | undefined,
): void {
  if (client.closedAt > 0) violate(world, `${client.name}: a request is sent after close()`)
  if (token !== undefined && client.loggedOut.has(token)) {
    violate(world, `${token.name} is sent after its logout`)
  }
  if (call?.aborted === true) violate(world, `#${call.id} is sent although it was aborted`)
}

/** A record is written. */
export function checkWritten(world: World, client: Client, token: Token | undefined): void {
  if (token !== undefined && client.loggedOut.has(token)) {
    violate(world, `the record of ${token.name} is written after its logout`)
  }
  if (token !== undefined && world.ended.has(token) && !mayReturn(world)) {
    violate(world, `the record of ${token.name} is written after another client has logged out`)
  }
}

/** Nobody can tell then what was stored. */
function mayReturn({ storeFailed }: World): boolean {
  return storeFailed
}

/** A client enters (1) or leaves (-1) a lock. */
export function checkLock(world: World, key: string, change: 1 | -1): void {
  const inside = (world.holders.get(key) ?? 0) + change
  world.holders.set(key, inside)
  if (inside > 1) violate(world, 'two are inside the lock of one record')
}

/** A logout has resolved. */
export function noteLogout(world: World, call: Call): void {
  const { client, tenant, order } = call
  const tenantState = tenantStateOf(client, tenant)
  const isOwn = (token: Token) =>
    token.acquisition?.client === client
      ? token.acquisition.order < order
      : token.storedOrder < order
  for (const token of world.tokens.values()) {
    // What the store lost or kept against its word may come back, and nobody can tell.
    if (token.tenant === tenant && isOwn(token) && !world.storeFailed) client.loggedOut.add(token)
    // What came before the call was in the store when the record was removed.
    if (token.tenant === tenant && token.storedOrder < order && !world.ended.has(token)) {
      world.ended.set(token, call.settledOrder)
    }
  }
  tenantState.loggedOutAt = call.settledOrder
  tenantState.logouts.push(order)
  tenantState.lastLogin = call.settledOrder
  // Callers that waited for the end of the logout ask now.
  const isWaiting = [...call.client.open].some(
    (other) => other !== call && other.what !== 'logout' && isOf(other, call.tenant),
  )
  if (isWaiting) tenantState.lastCall = nextOrder(world)
  tenantState.current = undefined
}

/** What came for a grant that was sent before a logout is revoked. */
export function checkRevoked(world: World): void {
  if (world.config.stored) return
  for (const { tenantStates, closedAt } of world.clients) {
    for (const { acquisitions, logouts } of tenantStates.values()) {
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
export function checkManagers(world: World, { name, tenantStates }: Client, most: number): void {
  let open = 0
  for (const { made, ended } of tenantStates.values()) open += made - ended
  const allowed = world.config.form === 'tenants' ? most : Math.min(most, 1)
  if (open > allowed) violate(world, `${open} managers of ${name} are not closed`)
}

/** A call has settled. */
export function checkSettled(world: World, call: Call): void {
  const { client, tenant, what, order } = call
  const tenantState = tenantStateOf(client, tenant)
  const mine = tenantState.acquisitions.filter((each) => each.order > order)
  if (call.alone && !world.config.keepFresh && what === 'request' && mine.length > perRequest) {
    violate(world, `${mine.length} acquisitions for one request`)
  }
  const code = (call.error as { code?: unknown } | undefined)?.code
  if (what === 'login' && code === 'login_required') {
    const wasAsked = tenantState.acquisitions.some(
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
    checkWider(world, call, tenantState)
    checkStepUpMade(world, call, tenantState)
  }
}

/** The library reports something. */
export function checkEvent(
  world: World,
  client: Client,
  tenantState: TenantState,
  event: CredentialEvent,
): void {
  if (event.type === 'acquire_success') {
    if (world.config.form !== 'tenants' && client.sawClosed) {
      violate(world, 'acquire_success comes after closed')
    }
    if (client.closeResolved) violate(world, 'acquire_success comes after close() resolved')
  }
  if (event.type !== 'acquire_failure' || !event.retryable) return
  const last = tenantState.acquisitions.at(-1)
  if (last?.retryAfter !== undefined || last?.reason === 'insufficient_scope') return
  const { retryIn, stillValidFor } = event
  if (stillValidFor > 0 && retryIn > Math.max(1, stillValidFor / 2)) {
    violate(world, `a pause of ${retryIn} s while the credential lasts ${stillValidFor} s`)
  }
}

function isOf(call: Call, tenant: string): boolean {
  return call.what !== 'close' && call.tenant === tenant
}

/** Only managers that are kept renew in the background, and no more are kept than allowed. */
function checkKept(world: World, { tenantStates }: Client, tenantState: TenantState): void {
  tenantState.lastBackground = nextOrder(world)
  const lastCall = Math.max(...[...tenantStates.values()].map((each) => each.lastCall))
  const kept = [...tenantStates.values()].filter(({ lastBackground }) => lastBackground > lastCall)
  if (kept.length > maxTenants) violate(world, `${kept.length} tenants go on renewing`)
}

function isLoginPending(error: unknown): boolean {
  return (error as { reason?: unknown } | undefined)?.reason === 'login_pending'
}
