/**
 * Determines whether a failed request was sent.
 *
 * @module
 */
import { systemErrorCode } from '../errors.ts'

/** Codes that only come from name resolution and from the runtime's connection timer. */
const unsentCodes = new Set(['EAI_AGAIN', 'ENOTFOUND', 'UND_ERR_CONNECT_TIMEOUT'])
/**
 * Codes with which an existing connection may fail too: when it times out, Linux reports the last ICMP
 * message, and the server may already have processed the request.
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

/** Whether an error of `fetch` proves that no connection was made, so that nothing was sent. */
export function wasNotSent(error: unknown): boolean {
  return isBlockedPort(error) || isConnectFailure(error, maxDepth)
}

/** Whether `fetch` blocks the port (Fetch Standard, section 2.9). */
export function isBlockedPort(error: unknown): boolean {
  return systemErrorCode(error) === 'BLOCKED_PORT'
}

function isConnectFailure(error: unknown, depth: number): boolean {
  if (typeof error !== 'object' || error === null || depth === 0) return false
  const { cause, code, errors, syscall } = error as Readonly<Record<string, unknown>>
  // The runtime tries each address of a name, and uses the code of the first failure for the whole.
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.every((each) => isConnectFailure(each, depth - 1))
  }
  if (typeof code !== 'string') return isConnectFailure(cause, depth - 1)
  if (unsentCodes.has(code)) return true
  return connectionCodes.has(code) && connectCalls.has(syscall)
}
