/**
 * A request that is made up to see what a credential does to it.
 *
 * @module
 */
import type { OutgoingRequest } from '../credential.ts'
import { PlainHeaders } from './plain-headers.ts'

/** Sees what a credential sets, and of what its headers depend. */
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
   * The credential has asked for what differs between two requests to one URL: the method, the body or the time. Its
   * headers serve that request alone.
   */
  get isPerRequest(): boolean {
    return this.#isPerRequest
  }

  /** The credential has changed the URL. */
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
