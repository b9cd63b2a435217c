/**
 * The streams that the HTTP+SSE transports open through an `EventSource`.
 *
 * @module
 */
import { isCredentialError } from '../errors.ts'
import type { Call } from './call.ts'

/**
 * Whether a request is that of an `EventSource`: a GET that asks for an event stream, with the cache mode that
 * the HTML standard prescribes. The GET of Streamable HTTP has no cache mode.
 *
 * @see HTML, section 9.2.3 (server-sent events, processing model)
 */
export function isEventSourceRequest({ init, method, headers, pendingBody }: Call): boolean {
  return (
    init.cache === 'no-store' &&
    init.mode === 'cors' &&
    method === 'GET' &&
    pendingBody === undefined &&
    (init.body === undefined || init.body === null) &&
    headers.get('Accept')?.includes('text/event-stream') === true
  )
}

/**
 * Turns an error into what an event source understands. It reconnects for ever when its `fetch` rejects, even
 * after `connect()` has failed, and stops for good on a 401.
 *
 * @param streamOpened - A stream was open before: a temporary failure is then left to its reconnection.
 * @throws The error itself, unless it is a final `CredentialError`.
 */
export function answerEventSource(error: unknown, streamOpened: boolean): Response {
  if (!isCredentialError(error) || (streamOpened && error.retryable)) throw error
  return new Response(null, { status: 401 })
}
