/**
 * A session of the HTTP+SSE transport (MCP 2024-11-05, Transports).
 *
 * @module
 */
import type { EventSourceMessage } from 'eventsource-parser'
import { drain } from '../transport/drain.ts'
import { onAbort, withTimeLimit } from '../waiting.ts'
import { mediaTypeOf, readEvents } from './event-stream.ts'
import { keyOf, type Message, parseMessage, requestsOf } from './message.ts'
import {
  type Accepted,
  ContentError,
  type PostOptions,
  refusalOf,
  SessionLostError,
  type Wire,
  type WireOptions,
} from './wire.ts'

const endpointTimeoutMs = 30_000

/**
 * Opens the stream of a session, and waits for the endpoint of messages.
 *
 * @throws {@link RefusalError} when the server responds with an error status; {@link ContentError} when it
 *   sends no such stream.
 */
export async function openOlderWire(options: WireOptions, signal: AbortSignal): Promise<Wire> {
  const wire = new OlderWire(options)
  try {
    await withTimeLimit(endpointTimeoutMs, signal, (waiting) => wire.open(waiting))
  } catch (error) {
    wire.retire()
    throw error
  }
  return wire
}

/** Sends messages to the server's endpoint; all responses arrive on one stream. */
class OlderWire implements Wire {
  readonly #options: WireOptions
  readonly #ending = new AbortController()
  /** Functions that end the wait for a response, by request. */
  readonly #open = new Map<string, () => void>()
  #endpoint: URL | undefined
  #revision: string | undefined

  constructor(options: WireOptions) {
    this.#options = options
  }

  get isRetired(): boolean {
    return this.#ending.signal.aborted
  }

  async open(signal: AbortSignal): Promise<void> {
    const abort = () => this.retire()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const response = await this.#options.fetch(this.#options.url, {
        headers: { Accept: 'text/event-stream' },
        signal: this.#ending.signal,
      })
      if (!response.ok) throw await refusalOf(response)
      const mediaType = mediaTypeOf(response)
      if (mediaType !== 'text/event-stream') {
        drain(response)
        throw new ContentError(mediaType)
      }
      await this.#named(response, mediaType)
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** Reads the stream; resolves with the event that contains the endpoint. */
  #named(response: Response, mediaType: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const onEvent = async (event: EventSourceMessage) => {
        if (event.event !== 'endpoint') return this.#pass(event)
        if (this.#endpoint === undefined && this.#setEndpoint(event.data)) resolve()
      }
      readEvents(response, { onEvent, onRetry: () => {} })
        .catch(() => {})
        .finally(() => {
          // Without an endpoint there was no session. Otherwise the promise is already settled.
          reject(new ContentError(mediaType))
          this.#streamEnded()
        })
    })
  }

  /** The endpoint receives the credential, so it must have the same origin. */
  #setEndpoint(text: string): boolean {
    const { url } = this.#options
    const endpoint = URL.canParse(text, url) ? new URL(text, url) : undefined
    if (endpoint?.origin !== url.origin) return false
    this.#endpoint = endpoint
    return true
  }

  async #pass({ data, event }: EventSourceMessage): Promise<void> {
    if (data === '' || (event !== undefined && event !== 'message')) return
    const message = parseMessage(data)
    if (message === undefined)
      return this.#options.log('The server sent an event that is not JSON.')
    await this.#options.receive(this, message, undefined)
    for (const part of message.parts) {
      if (part.kind === 'response' && part.id !== undefined) this.#open.get(keyOf(part.id))?.()
    }
  }

  #streamEnded(): void {
    const isUnexpected = !this.isRetired && this.#endpoint !== undefined
    this.retire()
    if (isUnexpected) this.#options.lost(this)
  }

  async post(message: Message, { signal }: PostOptions): Promise<Accepted> {
    if (this.isRetired || this.#endpoint === undefined) throw new SessionLostError()
    // The response may arrive before the server has accepted the message.
    const finished = this.#answered(message, signal)
    const response = await this.#options.fetch(this.#endpoint, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(this.#revision === undefined ? {} : { 'MCP-Protocol-Version': this.#revision }),
      },
      body: message.text,
      signal,
    })
    if (!response.ok) {
      const refusal = await refusalOf(response)
      if (!refusal.endsSession) throw refusal
      this.retire()
      throw new SessionLostError(refusal)
    }
    drain(response)
    return { finished }
  }

  /** Resolves when every request of a message is answered or aborted. */
  #answered(message: Message, signal: AbortSignal): Promise<void> {
    const waits = requestsOf(message).map(
      ({ id }) =>
        new Promise<void>((resolve) => {
          const key = keyOf(id)
          const finish = () => {
            stop()
            if (this.#open.get(key) === finish) this.#open.delete(key)
            resolve()
          }
          this.#open.set(key, finish)
          let stop = () => {}
          stop = onAbort(signal, finish)
        }),
    )
    return Promise.all(waits).then(() => {})
  }

  negotiated(revision: string): void {
    this.#revision = revision
  }

  listen(): void {}

  retire(): void {
    this.#ending.abort()
    for (const finish of [...this.#open.values()]) finish()
  }

  async close(): Promise<void> {
    this.retire()
  }
}
