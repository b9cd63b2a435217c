/**
 * Resolves the host name of a server.
 *
 * @module
 */
import { lookup } from 'node:dns/promises'
import ipaddr from 'ipaddr.js'
import { abortable, withTimeLimit } from '../time-limit.ts'
import { errorCode } from '../unreachable.ts'
import type { Address } from './observations.ts'

/** The time limit of a lookup in milliseconds. */
const limitMs = 10_000

/** Looks up the addresses of a server. */
export async function examineAddress({ hostname }: URL, signal: AbortSignal): Promise<Address> {
  const name = hostname.replace(/^\[|\]$/g, '')
  try {
    // A lookup cannot be cancelled, only abandoned.
    const found = await withTimeLimit(limitMs, signal, (limited) =>
      abortable(lookup(name, { all: true }), limited),
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
