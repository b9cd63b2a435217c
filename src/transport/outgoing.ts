/**
 * The request to which credentials are applied.
 *
 * @module
 */
import type { OutgoingRequest } from '../credential.ts'

/** An {@link OutgoingRequest} that creates its URL and bytes only when they are read. */
export class Outgoing implements OutgoingRequest {
  readonly method: string
  readonly headers: Headers
  readonly attempt: number
  readonly now: number
  readonly #target: URL
  readonly #content: Content
  readonly #abort: { readonly signal: AbortSignal | undefined } | undefined
  #url: URL | undefined

  /** @param abort - Holds the signal, which is created only when it is read. */
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

  /** Whether the credential may have replaced the URL, because it was read or set. */
  get hasOwnUrl(): boolean {
    return this.#url !== undefined
  }

  /** The target: the caller's own URL object unless a credential has read it. */
  get destination(): URL {
    return this.#url ?? this.#target
  }
}

/** The body of a request, and its bytes where they can be known. */
export class Content {
  /** The body that is passed to `fetch`. */
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

  /** Whether there is a body whose bytes are not known. */
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
