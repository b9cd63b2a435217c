/**
 * Determines which messages are retried after a failure.
 *
 * @module
 */
import { isCredentialError } from '../errors.ts'
import { type Message, requestsOf } from './message.ts'
import { isBlockedPort, wasNotSent } from './not-sent.ts'
import { RefusalError } from './wire.ts'

/** The longest delay before a retry, in milliseconds. */
export const longestDelayMs = 8000

/** Idempotent requests (MCP 2025-11-25 and 2026-07-28, Schema). */
const idempotentMethods: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
  'subscriptions/listen',
  'tasks/list',
  'tasks/get',
  'tasks/result',
  'tasks/cancel',
])

/**
 * Whether a failed message may be retried, and may succeed soon. A server may respond with an error after
 * it has started to process the message, so after a response only idempotent messages are retried.
 */
export function mayRetry(message: Message, error: unknown): boolean {
  // Without a credential, nothing was sent.
  if (isCredentialError(error)) return error.retryable && error.code !== 'login_required'
  if (error instanceof RefusalError) return requestsRetry(error) && isIdempotent(message)
  return wasNotSent(error) && !isBlockedPort(error)
}

function requestsRetry({ status, retryAfter }: RefusalError): boolean {
  return status === 429 || (status === 503 && retryAfter !== undefined)
}

/** Whether a message is idempotent. Notifications and responses are too. */
export function isIdempotent(message: Message): boolean {
  return requestsOf(message).every(({ method }) => idempotentMethods.has(method))
}

/**
 * The delay before a retry, in milliseconds.
 *
 * @param ownMs - The delay, unless the error requests a longer one.
 */
export function delayBefore(error: unknown, ownMs: number): number {
  const { retryAfter } = error as { retryAfter?: unknown }
  const leastMs = typeof retryAfter === 'number' ? Math.min(retryAfter * 1000, longestDelayMs) : 0
  return Math.max(leastMs, ownMs)
}
