/**
 * Requests of the examination: bounded in time and size, without a credential, and noted down.
 *
 * @module
 */

import { labelOf } from '../labels.ts'
import { orAborted, withinTime } from '../time-limit.ts'
import { errorCode } from '../unreachable.ts'
import { hasAnswer } from './event-stream.ts'

/** Milliseconds that one request may take, with its answer. */
const defaultLimitMs = 10_000
/** Bytes of an answer that are read. */
const maxAnswerBytes = 65_536
/** Bytes of a document that are read; the library's own limit for them is below it. */
const maxDocumentBytes = 300_000

/** An answer, as far as it was read. */
export interface Reply {
  readonly kind: 'reply'
  readonly status: number
  readonly headers: Headers
  /** The beginning of the body. Written by the server: never show it as it is. */
  readonly body: string
}

/** No answer came. */
export interface Silence {
  readonly kind: 'silence'
  /** The system's error code, such as `ECONNREFUSED`. */
  readonly code: string | undefined
  readonly isLate: boolean
}

/** What came of a request. */
export type Outcome = Reply | Silence

/** A document that was read during the discovery. */
export interface ReadDocument {
  readonly url: string
  readonly status: number
  readonly body: string
}

/** Sends the requests of one examination, and keeps what their answers say. */
export interface Asker {
  /** Sends a request. Redirects are not followed. */
  ask(url: URL, init: RequestInit): Promise<Outcome>
  /** For the library's own discovery; each document is fetched once. */
  readonly fetch: (input: string | URL, init?: RequestInit) => Promise<Response>
  /** The documents that the discovery has read. */
  readonly documents: readonly ReadDocument[]
  /** The clock of each origin less ours, in milliseconds. */
  readonly clocks: ReadonlyMap<string, number>
}

/**
 * Makes an asker.
 *
 * @param options.note - Receives a line for each request and each answer, without a secret.
 * @param options.signal - Ends all requests; they reject with its reason.
 * @param options.limitMs - Milliseconds that one request may take, with its answer. Default: 10,000.
 */
export function makeAsker(options: {
  readonly signal: AbortSignal
  readonly note?: (line: string) => void
  readonly limitMs?: number
}): Asker {
  const { signal, note = () => {}, limitMs = defaultLimitMs } = options
  const clocks = new Map<string, number>()
  const send = senderOf(note, clocks)
  const { documents, read } = documentsBy(send, signal)
  return {
    documents,
    clocks,
    async ask(url, init) {
      try {
        return await withinTime(limitMs, signal, async (limited) => {
          const response = await orAborted(send(url, { ...init, signal: limited }), limited)
          const body = await readText(response, maxAnswerBytes, limited, true)
          return { kind: 'reply', status: response.status, headers: response.headers, body }
        })
      } catch (error) {
        signal.throwIfAborted()
        const silence = silenceOf(error)
        note(`< no answer (${silence.isLate ? 'too late' : (silence.code ?? 'unknown')})`)
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

/** Reads each document once, and keeps it. */
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
    // A document that could not be read is asked for again, as a client would.
    loading.catch(() => known.delete(url.href))
    const { status, headers, body } = await loading
    const plain = new Headers(headers)
    for (const name of ['content-encoding', 'content-length']) plain.delete(name)
    const hasBody = ![204, 205, 304].includes(status)
    return new Response(hasBody ? body : null, { status, headers: plain })
  }
  return { documents, read }
}

/** The media type of an answer, for a person. */
export function typeOf(headers: Headers): string {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  return /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(type) ? type : 'without a content type'
}

/** What a failed request says. */
export function silenceOf(error: unknown): Silence {
  const { name } = error as { readonly name?: unknown }
  const code = errorCode(error)
  const isLate =
    name === 'TimeoutError' || code === 'ETIMEDOUT' || code?.endsWith('_TIMEOUT') === true
  return { kind: 'silence', code, isLate }
}

/** Reads the beginning of a body: an event stream up to its first answer, since it may have no end. */
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
      const { done, value } = await orAborted(reader.read(), signal)
      if (done) break
      size += value.byteLength
      text += decoder.decode(value, { stream: true })
      if (isStream && hasAnswer(text)) break
    }
  } catch (error) {
    // The head of an answer says enough, and a stream may stay silent for long.
    if (!isPartEnough || !(signal.reason instanceof DOMException)) throw error
    if (signal.reason.name !== 'TimeoutError') throw error
  } finally {
    reader.cancel().catch(() => {})
  }
  return text
}

/** The server's clock less ours, in milliseconds; `undefined`: the answer does not tell. */
function clockOffset(headers: Headers, sentAt: number, receivedAt: number): number | undefined {
  const date = headers.get('date')
  // A response of a cache has the date of then.
  if (date === null || headers.has('age')) return undefined
  const server = Date.parse(date)
  // The date is cut to the second, so half a second is added on average.
  return Number.isNaN(server) ? undefined : Math.round(server + 500 - (sentAt + receivedAt) / 2)
}
