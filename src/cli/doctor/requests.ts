/**
 * Sends the requests of the examination, without a credential and with limits on time and size.
 *
 * @module
 */

import { labelOf } from '../labels.ts'
import { abortable, withTimeLimit } from '../time-limit.ts'
import { errorCode } from '../unreachable.ts'
import { hasResponse } from './event-stream.ts'

/** The time limit of one request and its response in milliseconds. */
const defaultLimitMs = 10_000
/** The most bytes of a response that are read. */
const maxResponseBytes = 65_536
/** The most bytes of a metadata document that are read; the library's own limit is lower. */
const maxDocumentBytes = 300_000

/** A response, as far as it was read. */
export interface ReceivedResponse {
  readonly kind: 'response'
  readonly status: number
  readonly headers: Headers
  /** The beginning of the body. It is untrusted: clean it before it is shown. */
  readonly body: string
}

/** A request without a response. */
export interface NoResponse {
  readonly kind: 'no-response'
  /** The system's error code, such as `ECONNREFUSED`. */
  readonly code: string | undefined
  readonly isLate: boolean
}

/** The result of a request. */
export type Outcome = ReceivedResponse | NoResponse

/** A metadata document that the discovery has read. */
export interface ReadDocument {
  readonly url: string
  readonly status: number
  readonly body: string
}

/** Sends the requests of one examination, and records clocks and documents. */
export interface Requester {
  /** Sends a request. Redirects are not followed. */
  send(url: URL, init: RequestInit): Promise<Outcome>
  /** The `fetch` for the library's discovery; each document is fetched once. */
  readonly fetch: (input: string | URL, init?: RequestInit) => Promise<Response>
  /** The documents that the discovery has read. */
  readonly documents: readonly ReadDocument[]
  /** The offset of the clock of each origin from ours, in milliseconds. */
  readonly clocks: ReadonlyMap<string, number>
}

/**
 * Creates an {@link Requester}.
 *
 * @param options.note - Receives a line for each request and response, without secrets.
 * @param options.signal - Aborts all requests; they reject with its reason.
 * @param options.limitMs - The time limit of one request and its response in milliseconds. Default 10,000.
 */
export function makeRequester(options: {
  readonly signal: AbortSignal
  readonly note?: (line: string) => void
  readonly limitMs?: number
}): Requester {
  const { signal, note = () => {}, limitMs = defaultLimitMs } = options
  const clocks = new Map<string, number>()
  const send = senderOf(note, clocks)
  const { documents, read } = documentsBy(send, signal)
  return {
    documents,
    clocks,
    async send(url, init) {
      try {
        return await withTimeLimit(limitMs, signal, async (limited) => {
          const response = await abortable(send(url, { ...init, signal: limited }), limited)
          const body = await readText(response, maxResponseBytes, limited, true)
          return { kind: 'response', status: response.status, headers: response.headers, body }
        })
      } catch (error) {
        signal.throwIfAborted()
        const silence = noResponseOf(error)
        note(`< no response (${silence.isLate ? 'timeout' : (silence.code ?? 'unknown')})`)
        return silence
      }
    },
    async fetch(input, init = {}) {
      const url = new URL(input)
      const accept = new Headers(init.headers).get('accept') ?? ''
      const isDocument = init.method === 'GET' && !accept.includes('text/event-stream')
      return isDocument ? read(url, init) : send(url, init)
    },
  }
}

type Send = (url: URL, init: RequestInit) => Promise<Response>

function senderOf(note: (line: string) => void, clocks: Map<string, number>): Send {
  return async (url, init) => {
    note(`> ${init.method ?? 'GET'} ${labelOf(url)}`)
    const sentAt = Date.now()
    const response = await fetch(url, { ...init, redirect: 'manual' })
    const { status, headers } = response
    note(`< ${status} ${typeOf(headers)} after ${Date.now() - sentAt} ms`)
    const offset = clockOffset(headers, sentAt, Date.now())
    if (offset !== undefined && !clocks.has(url.origin)) clocks.set(url.origin, offset)
    return response
  }
}

/** Reads each document once, and caches it. */
function documentsBy(send: Send, signal: AbortSignal) {
  const documents: ReadDocument[] = []
  const known = new Map<string, Promise<ReadDocument & { readonly headers: Headers }>>()
  const load = async (url: URL, init: RequestInit) => {
    const response = await send(url, init)
    const body = await readText(response, maxDocumentBytes, init.signal ?? signal, false)
    const { status, headers } = response
    const found = { url: url.href, status, body, headers }
    documents.push(found)
    return found
  }
  const read: Send = async (url, init) => {
    const loading = known.get(url.href) ?? load(url, init)
    known.set(url.href, loading)
    // A document that could not be read is requested again, as a client would.
    loading.catch(() => known.delete(url.href))
    const { status, headers, body } = await loading
    const plain = new Headers(headers)
    for (const name of ['content-encoding', 'content-length']) plain.delete(name)
    const hasBody = ![204, 205, 304].includes(status)
    return new Response(hasBody ? body : null, { status, headers: plain })
  }
  return { documents, read }
}

/** The media type of a response, as it may be shown. */
export function typeOf(headers: Headers): string {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  return /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(type) ? type : 'without a content type'
}

/** Describes the error of a failed request. */
export function noResponseOf(error: unknown): NoResponse {
  const { name } = error as { readonly name?: unknown }
  const code = errorCode(error)
  const isLate =
    name === 'TimeoutError' || code === 'ETIMEDOUT' || code?.endsWith('_TIMEOUT') === true
  return { kind: 'no-response', code, isLate }
}

/** Reads the beginning of a body; an event stream up to its first response, because it may not end. */
async function readText(
  response: Response,
  limit: number,
  signal: AbortSignal,
  isPartEnough: boolean,
): Promise<string> {
  const reader = response.body?.getReader()
  if (reader === undefined) return ''
  const isStream = typeOf(response.headers) === 'text/event-stream'
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  try {
    while (size < limit) {
      const { done, value } = await abortable(reader.read(), signal)
      if (done) break
      size += value.byteLength
      text += decoder.decode(value, { stream: true })
      if (isStream && hasResponse(text)) break
    }
  } catch (error) {
    // Status and headers are sufficient, and a stream may send nothing for a long time.
    if (!isPartEnough || !(signal.reason instanceof DOMException)) throw error
    if (signal.reason.name !== 'TimeoutError') throw error
  } finally {
    reader.cancel().catch(() => {})
  }
  return text
}

/** The offset of the server's clock from ours, in milliseconds; `undefined`: not known. */
function clockOffset(headers: Headers, sentAt: number, receivedAt: number): number | undefined {
  const date = headers.get('date')
  // A cached response has the date of the original response.
  if (date === null || headers.has('age')) return undefined
  const server = Date.parse(date)
  // The date is truncated to seconds, so half a second is added.
  return Number.isNaN(server) ? undefined : Math.round(server + 500 - (sentAt + receivedAt) / 2)
}
