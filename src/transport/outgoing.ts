/**
 * The request that credentials are put on.
 *
 * @module
 */
import type { OutgoingRequest } from '../credential.ts'

/** An {@link OutgoingRequest} that makes its URL and bytes only when they are read. */
export class Outgoing implements OutgoingRequest {
  readonly method: string
  readonly headers: Headers
  readonly attempt: number
  readonly now: number
  readonly #target: URL
  readonly #content: Content
  readonly #abort: { readonly signal: AbortSignal | undefined } | undefined
  #url: URL | undefined

  /** @param abort - Holds the signal, which is made only when it is read. */
  constructor(
    method: string,
    target: URL,
    headers: Headers,
    content: Content,
    attempt: number,
    now: number,
    abort?: { readonly signal: AbortSignal | undefined },
  ) {
    this.method = method
    this.#target = target
    this.headers = headers
    this.#content = content
    this.attempt = attempt
    this.now = now
    this.#abort = abort
  }

  get signal(): AbortSignal | undefined {
    return this.#abort?.signal
  }

  // A copy, because the URL that came in belongs to the caller.
  get url(): URL {
    this.#url ??= new URL(this.#target)
    return this.#url
  }

  set url(url: URL) {
    this.#url = url
  }

  get body(): Uint8Array | undefined {
    return this.#content.bytes
  }

  get streamed(): boolean {
    return this.#content.opaque
  }

  /** The credential may have replaced the URL: it was read or set. */
  get hasOwnUrl(): boolean {
    return this.#url !== undefined
  }

  /** Where to send it: the caller's own URL object unless a credential asked for it. */
  get destination(): URL {
    return this.#url ?? this.#target
  }
}

/** A request's body: sent as it came, and known in bytes where that is possible. */
export class Content {
  /** What is handed to `fetch`. */
  readonly body: BodyInit | null | undefined
  /** Whether it can be sent a second time. */
  readonly replayable: boolean
  #bytes: Uint8Array | undefined

  constructor(body: BodyInit | null | undefined) {
    this.body = body
    this.replayable = !(
      body instanceof ReadableStream ||
      (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
    )
  }

  /** There is a body, and its bytes are not known. */
  get opaque(): boolean {
    return this.body !== undefined && this.body !== null && this.bytes === undefined
  }

  /** The exact bytes; `undefined` for no body, streams, blobs and multipart forms. */
  get bytes(): Uint8Array | undefined {
    this.#bytes ??= bytesOf(this.body)
    return this.#bytes
  }
}

function bytesOf(body: BodyInit | null | undefined): Uint8Array | undefined {
  if (typeof body === 'string') return new TextEncoder().encode(body)
  if (body instanceof URLSearchParams) return new TextEncoder().encode(body.toString())
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  return undefined
}
