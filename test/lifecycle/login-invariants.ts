/** What must always hold of logins: how often people are asked, and that a registration is dropped when told. */
import {
  type Acquisition,
  type Call,
  type Client,
  nextOrder,
  tenantStateOf,
  violate,
  type World,
} from './types.ts'

const periodMs = 600_000
const unaskedPerPeriod = 3
const afterRejections = 5

/** Somebody is asked to log in. */
export function checkLogin(world: World, { client, tenant, order, reason }: Acquisition): void {
  const tenantState = tenantStateOf(client, tenant)
  const { acquisitions, lastLogin, unaskedLogins } = tenantState
  const before = acquisitions.findLast((each) => each.order < order)?.order ?? 0
  const isAsked =
    lastLogin > before ||
    [...client.open].some((call) => call.what === 'login' && call.tenant === tenant)
  if (isAsked) return
  const now = world.time.elapsed()
  const recent = unaskedLogins.filter((at) => now - at < periodMs)
  tenantState.unaskedLogins = [...recent, now]
  const allowed = reason === 'rejected' ? afterRejections : unaskedPerPeriod
  if (recent.length < allowed) return
  violate(world, `${recent.length + 1} logins in ten minutes that nobody called for (${reason})`)
}

/** The provider is told to forget its registration. */
export function checkForgotten(world: World, client: Client, tenant: string): void {
  const isWanted = [...client.open].some(
    (call) => call.what === 'logout' && call.drops && call.tenant === tenant,
  )
  tenantStateOf(client, tenant).lastForgotten = nextOrder(world)
  if (!isWanted) violate(world, `${client.name} forgets its registration, and nobody wants that`)
}

/** A logout says what became of the registration, when it was to drop it, and only then. */
export function checkDropped(world: World, call: Call, outcome: unknown): void {
  const { client, tenant, drops, order, id } = call
  const { registrationDropped } = outcome as { registrationDropped?: boolean }
  if (drops !== (registrationDropped !== undefined)) {
    violate(world, `#${id} says of the registration: ${registrationDropped}`)
  }
  // A logout that was under way may have dropped it a moment before.
  const joined = world.calls.filter(
    (other) =>
      other.client === client &&
      other.tenant === tenant &&
      other.what === 'logout' &&
      other.order <= order &&
      other.settledOrder > order,
  )
  const since = Math.min(...joined.map((other) => other.order))
  if (drops && tenantStateOf(client, tenant).lastForgotten < since) {
    violate(world, `#${id} was to drop the registration, and the provider was not told`)
  }
}
