/**
 * Whether a request that failed was sent.
 *
 * @module
 */
import { systemErrorCode } from '../errors.ts'

/** These come from the look-up of a name and from the runtime's own timer for connections, and from nothing else. */
const unsentCodes = new Set(['EAI_AGAIN', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT'])
/**
 * A connection that exists may fail with these as well: when it times out, Linux reports the last ICMP message, and
 * the server may have processed the request long before.
 */
const connectionCodes = new Set([
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'ETIMEDOUT',
])
const connectCalls = new Set<unknown>(['connect', 'getaddrinfo'])
const maxDepth = 4

/** Whether an error of `fetch` shows that no connection was made, so that nothing was sent. */
export function wasNotSent(error: unknown): boolean {
  return isBlockedPort(error) || isConnectFailure(error, maxDepth)
}

/** Whether `fetch` refuses the port, now and later (Fetch Standard, section 2.9). */
export function isBlockedPort(error: unknown): boolean {
  return systemErrorCode(error) === 'BLOCKED_PORT'
}

function isConnectFailure(error: unknown, depth: number): boolean {
  if (typeof error !== 'object' || error === null || depth === 0) return false
  const { cause, code, errors, syscall } = error as Readonly<Record<string, unknown>>
  // The runtime tries each address of a name, and has the code of the first failure on the whole.
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.every((each) => isConnectFailure(each, depth - 1))
  }
  if (typeof code !== 'string') return isConnectFailure(cause, depth - 1)
  if (unsentCodes.has(code)) return true
  return connectionCodes.has(code) && connectCalls.has(syscall)
}
