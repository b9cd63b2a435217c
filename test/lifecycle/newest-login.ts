/** The newest login is the one that is used and kept, whatever the clocks of the processes say. */
import { type Client, type Grant, type Token, violate, type World } from './types.ts'

/** Takes note of what rests in the store for a tenant; `undefined`: nothing. */
export function noteStored(world: World, tenant: string, token: Token | undefined): void {
  if (token === undefined) world.stored.delete(tenant)
  else world.stored.set(tenant, token)
}

/** A grant is sent: no other login is in the store. */
export function checkNewest(world: World, tenant: string, grant: Grant): void {
  const stored = world.stored.get(tenant)
  if (stored === undefined || world.storeFailed || stored.login === loginOf(world, grant)) return
  violate(world, `${grant.name} is redeemed although the store has ${stored.name} of another login`)
}

/** A record is removed: by a logout, or by whoever sent its grant. */
export function checkRemoved(world: World, client: Client, tenant: string): void {
  const stored = world.stored.get(tenant)
  if (stored === undefined || world.storeFailed) return
  const isLogout = [...client.open].some(({ what }) => what === 'logout')
  const isSender = stored.grant.redeemedBy.some((each) => each.client === client)
  if (isLogout || isSender) return
  violate(world, `${client.name} removes the login of ${stored.name}, whose grant it did not send`)
}

function loginOf({ tokens }: World, grant: Grant): string | undefined {
  return [...tokens.values()].find((token) => token.grant === grant)?.login
}
