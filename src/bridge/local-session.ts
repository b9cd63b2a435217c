/**
 * The session of one local client.
 *
 * @module
 */

import type { ServerResponse } from 'node:http'
import { type AnswerStream, answerStream } from './answer-stream.ts'
import { parseMessage } from './message.ts'
import type { Uplink } from './options.ts'
import { Relay, type RelayOptions } from './relay.ts'

/** What the client has not asked for yet is kept up to this. */
const maxBacklogChars = 16 * 1024 * 1024

/** What clients without sessions share: a client asks in one request and answers in another. */
export type SharedBySessionless = Required<Pick<RelayOptions, 'channel' | 'logins'>>

/** How a request came. */
export interface LocalPost {
  readonly text: string
  /** The `Mcp-…` headers of the request. */
  readonly headers: Readonly<Record<string, string>>
  readonly takesStream: boolean
  /** It is the `initialize` request. */
  readonly begins: boolean
}

/** Owns the relay of a local client, and the streams on which the client listens. */
export class LocalSession {
  readonly id: string
  readonly #relay: Relay
  readonly #answers = new Set<AnswerStream>()
  /** Those of the answers that may become streams. */
  readonly #streams = new Set<AnswerStream>()
  #notifications: AnswerStream | undefined
  #backlog: string[] = []
  #backlogChars = 0
  /** Resolves when a stream has what waited for it, which comes before what arrives meanwhile. */
  #backlogWritten: Promise<void> = Promise.resolve()

  /**
   * @param id - What the client calls it by; empty for a client that has no session.
   * @param shared - What the clients that have no session share.
   */
  constructor(id: string, uplink: Uplink, shared?: SharedBySessionless) {
    this.id = id
    const own = shared ?? { channel: uplink.open() }
    this.#relay = new Relay({ ...uplink, ...own, deliver: (text) => this.#deliver(text) })
  }

  /** Nobody listens or waits for an answer, so that it may belong to a client that is gone. */
  get isQuiet(): boolean {
    return this.#answers.size === 0 && this.#notifications?.isClosed !== false
  }

  /** Passes a message on that is not answered. */
  take({ text, headers }: LocalPost): Promise<void> {
    return this.#relay.receive(text, { headers })
  }

  /** Passes a request on, and answers with what comes back. Resolves when it is answered. */
  async answer(
    { text, headers, takesStream, begins }: LocalPost,
    response: ServerResponse,
  ): Promise<void> {
    const identity = this.id === '' ? {} : { 'Mcp-Session-Id': this.id }
    const answer = answerStream(response, identity, takesStream)
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

  /** Opens the stream of what belongs to no request. */
  listen(response: ServerResponse): void {
    this.#notifications?.end()
    const stream = answerStream(response, { 'Mcp-Session-Id': this.id })
    this.#notifications = stream
    stream.begin()
    this.#backlogWritten = this.#backlogWritten.then(() => this.#writeBacklog(stream))
  }

  async #writeBacklog(stream: AnswerStream): Promise<void> {
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
    // Many go at once: each removal moves all that stay.
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

/** A session whose initialization failed does not exist. */
function isFailure(text: string): boolean {
  const [part] = parseMessage(text)?.parts ?? []
  return part?.kind === 'response' && part.error !== undefined
}
