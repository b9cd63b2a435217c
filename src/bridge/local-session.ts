/**
 * The session of one local client.
 *
 * @module
 */

import type { ServerResponse } from 'node:http'
import { parseMessage } from './message.ts'
import type { Uplink } from './options.ts'
import { Relay, type RelayOptions } from './relay.ts'
import { type ResponseStream, responseStream } from './response-stream.ts'

/** The most characters of undelivered messages. */
const maxBacklogChars = 16 * 1024 * 1024

/**
 * The state that clients without sessions share: a client may be asked in one request and respond in
 * another.
 */
export type SharedBySessionless = Required<Pick<RelayOptions, 'channel' | 'logins'>>

/** A request of a local client. */
export interface LocalPost {
  readonly text: string
  /** The `Mcp-…` headers of the request. */
  readonly headers: Readonly<Record<string, string>>
  readonly takesStream: boolean
  /** Whether it is the `initialize` request. */
  readonly begins: boolean
}

/** Owns the relay of a local client and the streams to it. */
export class LocalSession {
  readonly id: string
  readonly #relay: Relay
  readonly #answers = new Set<ResponseStream>()
  /** The responses that may become streams. */
  readonly #streams = new Set<ResponseStream>()
  #notifications: ResponseStream | undefined
  #backlog: string[] = []
  #backlogChars = 0
  /** Resolves when the undelivered messages are written, which precede new ones. */
  #backlogWritten: Promise<void> = Promise.resolve()

  /**
   * @param id - The session ID; empty for a client without a session.
   * @param shared - The state that clients without sessions share.
   */
  constructor(id: string, uplink: Uplink, shared?: SharedBySessionless) {
    this.id = id
    const own = shared ?? { channel: uplink.open() }
    this.#relay = new Relay({ ...uplink, ...own, deliver: (text) => this.#deliver(text) })
  }

  /** Whether the client has no open stream or request, so that it may have disconnected. */
  get isIdle(): boolean {
    return this.#answers.size === 0 && this.#notifications?.isClosed !== false
  }

  /** Relays a message without requests. */
  take({ text, headers }: LocalPost): Promise<void> {
    return this.#relay.receive(text, { headers })
  }

  /** Relays a request, and writes its responses. Resolves when it is answered. */
  async answer(
    { text, headers, takesStream, begins }: LocalPost,
    response: ServerResponse,
  ): Promise<void> {
    const identity = this.id === '' ? {} : { 'Mcp-Session-Id': this.id }
    const answer = responseStream(response, identity, takesStream)
    this.#answers.add(answer)
    if (takesStream) this.#streams.add(answer)
    response.once('close', () => {
      this.#answers.delete(answer)
      this.#streams.delete(answer)
    })
    const closed = new Promise<void>((resolve) => response.once('close', resolve))
    const sink = async (message: string, { isLast }: { readonly isLast: boolean }) => {
      if (isLast) return answer.finish(message, begins && isFailure(message) ? {} : identity)
      return takesStream && !answer.isClosed ? answer.write(message) : this.#deliver(message)
    }
    await this.#relay.receive(text, { headers, sink })
    await closed
  }

  /** Opens the stream for messages that belong to no request. */
  listen(response: ServerResponse): void {
    this.#notifications?.end()
    const stream = responseStream(response, { 'Mcp-Session-Id': this.id })
    this.#notifications = stream
    stream.begin()
    this.#backlogWritten = this.#backlogWritten.then(() => this.#writeBacklog(stream))
  }

  async #writeBacklog(stream: ResponseStream): Promise<void> {
    const backlog = this.#backlog.splice(0)
    let written = 0
    for (; written < backlog.length && !stream.isClosed; written += 1) {
      await stream.write(backlog[written] ?? '')
    }
    const left = backlog.slice(written)
    this.#backlog = [...left, ...this.#backlog]
    this.#backlogChars = this.#backlog.reduce((sum, { length }) => sum + length, 0)
  }

  async #deliver(text: string): Promise<void> {
    await this.#backlogWritten
    const streams = [this.#notifications, ...this.#streams]
    const stream = streams.find((each) => each?.isClosed === false)
    if (stream !== undefined) return stream.write(text)
    this.#backlogChars += text.length
    this.#backlog.push(text)
    if (this.#backlogChars <= maxBacklogChars) return
    // Many messages are removed at once, because each removal moves the remaining ones.
    let dropped = 0
    for (; this.#backlogChars > maxBacklogChars * 0.75; dropped += 1) {
      this.#backlogChars -= this.#backlog[dropped]?.length ?? this.#backlogChars
    }
    this.#backlog.splice(0, dropped)
  }

  /** Ends the session at the server. */
  async close(signal: AbortSignal): Promise<void> {
    await this.#relay.close(signal)
    this.#notifications?.end()
    for (const stream of this.#streams) stream.end()
  }
}

/** Whether a message is an error response; after a failed initialization there is no session. */
function isFailure(text: string): boolean {
  const [part] = parseMessage(text)?.parts ?? []
  return part?.kind === 'response' && part.error !== undefined
}
