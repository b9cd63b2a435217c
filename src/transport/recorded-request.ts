/**
 * A request that records what a credential does to it, and is not sent.
 *
 * @module
 */
import type { OutgoingRequest } from '../credential.ts'
import { PlainHeaders } from './plain-headers.ts'

/** Records what a credential sets, and what its headers depend on. */
export class RecordedRequest implements OutgoingRequest {
  readonly headers: PlainHeaders = new PlainHeaders()
  readonly attempt: number = 1
  readonly signal: AbortSignal | undefined
  readonly #target: URL
  readonly #now: number
  #url: URL
  #isPerRequest = false

  /** @param now - The server's time, in milliseconds since the epoch. */
  constructor(target: URL, now: number, signal: AbortSignal | undefined) {
    this.#target = target
    this.#url = new URL(target)
    this.#now = now
    this.signal = signal
  }

  /**
   * Whether the credential has read what differs between two requests to one URL: the method, the body or the
   * time. Its headers are then valid for that request only.
   */
  get isPerRequest(): boolean {
    return this.#isPerRequest
  }

  /** Whether the credential has changed the URL. */
  get isInUrl(): boolean {
    return String(this.#url) !== this.#target.href
  }

  get url(): URL {
    return this.#url
  }

  set url(url: URL) {
    this.#url = url
  }

  get method(): string {
    this.#isPerRequest = true
    return 'POST'
  }

  get body(): undefined {
    this.#isPerRequest = true
    return undefined
  }

  get streamed(): boolean {
    this.#isPerRequest = true
    return false
  }

  get now(): number {
    this.#isPerRequest = true
    return this.#now
  }
}
