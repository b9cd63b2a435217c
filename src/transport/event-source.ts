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
 * Converts a final error to a response for an event source. It reconnects indefinitely when its `fetch`
 * rejects, even after `connect()` has failed, but stops after a 401.
 *
 * @param streamOpened - Whether a stream was open before: the event source then reconnects after a temporary
 * failure.
 * @throws The error itself, unless it is a final `CredentialError`.
 */
export function answerEventSource(error: unknown, streamOpened: boolean): Response {
  if (!isCredentialError(error) || (streamOpened && error.retryable)) throw error
  return new Response(null, { status: 401 })
}
