/** The end of every story: the world becomes healthy, and nothing may be left. */
import { getEventListeners } from 'node:events'
import { begin, type CallOptions } from './clients.ts'
import { checkManagers, checkRevoked } from './invariants.ts'
import { loginSeconds } from './issuer.ts'
import { mayStepUp } from './scope-invariants.ts'
import { ownListeners } from './server.ts'
import { type Call, type Client, maxTenants, note, violate, type World } from './types.ts'

// The last acquisition of the unhealthy world may take 21 s, and its failure rest for a minute.
const patienceMs = 82_000

/** Makes the world healthy, and checks that the requests are so too, and that everything ends. */
export async function recover(world: World): Promise<void> {
  note(world, '-- the world is healthy again')
  world.issuer = { kind: 'prompt' }
  world.server = { kind: 'ok' }
  world.store = 'ok'
  world.applySeconds = 0
  world.grants = 'asked'
  world.revoke = 'ok'
  world.dateOff = 0
  world.healthy = true
  for (const end of [...world.openBodies]) end()
  await world.time.settle()
  for (const client of world.clients) {
    if (client.closedAt > 0) continue
    for (const tenant of world.config.form === 'tenants' ? ['a', 'b'] : ['']) {
      await checkRecovery(world, client, { tenant })
      const tenantState = client.tenantStates.get(tenant)
      if (tenantState !== undefined && mayStepUp(world, tenantState)) {
        await checkRecovery(world, client, { tenant, wants: 'read write' })
      }
    }
  }
  await world.time.advance(400_000, () => world.violations.length > 0)
  checkOpen(world)
  checkRevoked(world)
  for (const client of world.clients) checkManagers(world, client, maxTenants)
  await end(world)
}

/** The requests of a client succeed soon; a person helps where one is needed. */
async function checkRecovery(world: World, client: Client, options: CallOptions): Promise<void> {
  const start = world.time.elapsed()
  const passed = () => world.time.elapsed() - start
  const isOver = () => world.violations.length > 0
  const settled = async (call: Call) => {
    await world.time.settle()
    while (!call.settled && passed() <= patienceFor(world, client, options, start) && !isOver()) {
      await world.time.advance(500, isOver)
    }
    return call.settled
  }
  while (!isOver() && passed() <= patienceFor(world, client, options, start)) {
    const call = begin(world, client, 'request', options)
    if (!(await settled(call))) break
    if (call.ok && call.status === 200) return
    const code = (call.error as { code?: unknown } | undefined)?.code
    if (code === 'login_required') await settled(begin(world, client, 'login', options))
    await world.time.advance(2000, isOver)
  }
  const tenantState = client.tenantStates.get(options.tenant)
  // A late answer may have refused the scopes only now.
  const isRefused =
    tenantState !== undefined && options.wants !== undefined && !mayStepUp(world, tenantState)
  if (isOver() || isRefused) return
  const what = options.wants === undefined ? '' : ` for ${options.wants}`
  violate(world, `the requests${what} of ${client.name} ${options.tenant} do not recover`)
}

/** After a server that refused one new token after the other, renewals are rare for minutes. */
function patienceFor(
  { config }: World,
  client: Client,
  { tenant }: CallOptions,
  start: number,
): number {
  const until = client.tenantStates.get(tenant)?.pausedUntil ?? 0
  // One person may have begun before, for an answer that is worth nothing, and one helps after it.
  const usual = patienceMs + (config.interactive ? (2 * loginSeconds + 5) * 1000 : 0)
  return Math.max(usual, Math.min(until - start + 2000, 305_000))
}

function checkOpen(world: World): void {
  for (const { open, name } of world.clients) {
    for (const { id, what } of open) violate(world, `${name}: #${id} ${what} never settles`)
  }
}

/** Closes everybody; then nothing runs, waits or listens any more. */
async function end(world: World): Promise<void> {
  if (world.violations.length > 0) return
  note(world, '-- everything is closed')
  for (const client of world.clients) begin(world, client, 'close', { tenant: world.activeTenant })
  await world.time.advance(10_000)
  checkOpen(world)
  const pending = world.time.pending()
  if (pending.length > 0) violate(world, `timers are left: ${pending.join(', ')}`)
  const { signal } = world.shared
  const left = getEventListeners(signal, 'abort').length - ownListeners(signal)
  if (left > 0) violate(world, `${left} listeners are left on a signal`)
  await world.time.advance(6 * 3_600_000, () => world.violations.length > 0)
  for (const client of world.clients) checkManagers(world, client, 0)
}
