/**
 * Classifies the addresses of hosts.
 *
 * @module
 */
import ipaddr from 'ipaddr.js'

/** Whether a host is this machine. */
export function isLoopbackHost(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  return addressRange(hostname) === 'loopback'
}

/** The range of an IP address as `ipaddr.js` names it, `unicast` if public; `undefined` for a name. */
export function addressRange(hostname: string): string | undefined {
  const text = withoutBrackets(hostname)
  return ipaddr.isValid(text) ? ipaddr.process(text).range() : undefined
}

/** The address of a host in a URL, where IPv6 is in brackets. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}
