/** What must always hold of scopes: which are asked for, how often, and that none is lost. */
import {
  type Acquisition,
  type Call,
  type Client,
  type TenantState,
  type Token,
  violate,
  type World,
} from './types.ts'

const stepUpsPerTenMinutes = 3

export function checkStepUps(world: World, tenantState: TenantState, started: Acquisition): void {
  if (started.reason !== 'insufficient_scope') return
  const counts = tenantState.acquisitions.filter(
    ({ reason, order, counted, state, retryable }) =>
      reason === 'insufficient_scope' &&
      order > tenantState.lastLogin &&
      counted > started.counted - 600_000 &&
      !(state === 'failed' && retryable),
  )
  // A listener that logs in while a step-up begins allows one more.
  const allowed = stepUpsPerTenMinutes + (tenantState.lastLogin > 0 ? 1 : 0)
  if (counts.length >= allowed) {
    violate(world, `${counts.length + 1} step-ups in ten minutes`)
  }
}

/** A renewal asks for what was granted before, and not for what a server named and nobody granted. */
export function checkScope(world: World, { tenant, scope = '' }: Acquisition): void {
  const granted = new Set<string>()
  for (const token of world.tokens.values()) {
    if (token.tenant !== tenant) continue
    for (const name of (token.scope ?? '').split(' ')) granted.add(name)
  }
  const unknown = scope.split(' ').filter((name) => name !== '' && !granted.has(name))
  if (unknown.length > 0) {
    violate(world, `a renewal asks for ${unknown.join(' ').slice(0, 60)}, which nobody granted`)
  }
}

/** A 403 for scopes that are there, in a credential which came meanwhile, is not the end. */
export function checkWider(world: World, call: Call, { current }: TenantState): void {
  if (world.config.scoped !== true || call.streamed || call.sends > 1 || current === call.lastToken)
    return
  const has = current?.scope?.split(' ') ?? []
  const isAlive = typeof current?.expiresAt !== 'number' || call.client.now() < current.expiresAt
  const isWide = call.named?.split(' ').every((scope) => has.includes(scope)) === true
  if (!isWide || !isAlive || current === undefined || call.client.rejected.has(current)) return
  violate(world, `#${call.id} ends with 403 although ${current.name} has the scope`)
}

/** A renewal must not take away what a step-up has got. */
export function checkNarrowing(
  world: World,
  client: Client,
  tenantState: TenantState,
  next: Token,
): void {
  const held = tenantState.current
  const asked = next.acquisition?.scope?.split(' ') ?? []
  if (held?.acquisition?.reason !== 'insufficient_scope' || held.acquisition.client !== client)
    return
  if (next.acquisition?.client !== client || next.isDoubtful || held === next) return
  const isOver = typeof held.expiresAt === 'number' && client.now() >= held.expiresAt
  if (tenantState.isStored || isOver || client.rejected.has(held) || client.loggedOut.has(held))
    return
  const lost = held.scope?.split(' ').filter((scope) => !asked.includes(scope)) ?? []
  if (lost.length > 0) violate(world, `a renewal loses the scope ${lost.join(' ').slice(0, 60)}`)
}

/** No step-up was refused lately, and there were fewer than are allowed. */
export function mayStepUp(
  world: World,
  { acquisitions, lastLogin, loggedOutAt }: TenantState,
): boolean {
  if (!world.config.scoped || world.config.form === 'manager') return false
  // Twice the pause, because a clock that is set back takes some of the time with it.
  const since = world.time.elapsed() - 1_200_000
  const lately = acquisitions.filter(
    ({ reason, at, order, reportedOrder }) =>
      reason === 'insufficient_scope' &&
      at > since &&
      order > loggedOutAt &&
      // A login does not make up for a refusal that comes after it.
      reportedOrder > lastLogin,
  )
  const wasGranted = lately.every(({ state, scope, token }) => {
    return state === 'delivered' && token?.scope === scope
  })
  return wasGranted && lately.length < stepUpsPerTenMinutes
}

/** A request that lacks scopes is not given up while they may be asked for. */
export function checkStepUpMade(world: World, call: Call, tenantState: TenantState): void {
  const { order, named, sends, streamed } = call
  if (streamed || sends > 1 || named !== 'read write' || world.storeFailed) return
  const isDisturbed =
    tenantState.lastLogoutCall > order ||
    tenantState.acquisitions.some((each) => each.settledOrder > order)
  if (isDisturbed || !mayStepUp(world, tenantState)) return
  violate(world, `#${call.id} ends with 403, and nobody was asked for the scope`)
}
