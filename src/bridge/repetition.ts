/**
 * Which messages are sent again after a failure.
 *
 * @module
 */
import { isCredentialError } from '../errors.ts'
import { type Message, requestsOf } from './message.ts'
import { isBlockedPort, wasNotSent } from './unsent.ts'
import { RefusalError } from './wire.ts'

/** The longest delay before a repetition. */
export const longestDelayMs = 8000

/** Requests that change nothing, or nothing more the second time (MCP 2025-11-25 and 2026-07-28, Schema). */
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
 * Whether a message that failed may be sent again, and may succeed in a moment. A server may answer with an error
 * status after it has begun the work, so an answer counts only for what does no harm twice.
 */
export function mayRepeat(message: Message, error: unknown): boolean {
  // Nothing is sent without a credential.
  if (isCredentialError(error)) return error.retryable && error.code !== 'login_required'
  if (error instanceof RefusalError) return asksForRepetition(error) && isIdempotent(message)
  return wasNotSent(error) && !isBlockedPort(error)
}

function asksForRepetition({ status, retryAfter }: RefusalError): boolean {
  return status === 429 || (status === 503 && retryAfter !== undefined)
}

/** Whether it does no harm twice. Notifications say what is so, and an answer counts once. */
export function isIdempotent(message: Message): boolean {
  return requestsOf(message).every(({ method }) => idempotentMethods.has(method))
}

/**
 * How long to wait before a repetition, in milliseconds.
 *
 * @param ownMs - The delay where the error names none that is longer.
 */
export function delayBefore(error: unknown, ownMs: number): number {
  const { retryAfter } = error as { retryAfter?: unknown }
  const leastMs = typeof retryAfter === 'number' ? Math.min(retryAfter * 1000, longestDelayMs) : 0
  return Math.max(leastMs, ownMs)
}
