/**
 * Where the name of a server leads.
 *
 * @module
 */
import { lookup } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'
import { orAborted, withinTime } from '../time-limit.ts'
import { errorCode } from '../unreachable.ts'
import type { Address } from './seen.ts'

/** Milliseconds that a name may take. */
const limitMs = 10_000

/** Looks up the name of a server. */
export async function examineAddress({ hostname }: URL, signal: AbortSignal): Promise<Address> {
  const name = hostname.replace(/^\[|\]$/g, '')
  try {
    // Looking a name up cannot be cancelled, only left.
    const found = await withinTime(limitMs, signal, (limited) =>
      orAborted(lookup(name, { all: true }), limited),
    )
    const addresses = found.map(({ address }) => ({ address, range: rangeOf(address) }))
    return { hostname: name, addresses }
  } catch (error) {
    signal.throwIfAborted()
    return { hostname: name, addresses: [], errorCode: errorCode(error) ?? 'ETIMEDOUT' }
  }
}

/** The range of an address: `unicast` if it is public. */
export function rangeOf(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).range() : 'unknown'
}
