/**
 * A session of the Streamable HTTP transport (MCP 2025-11-25, Transports; 2026-07-28 without sessions).
 *
 * @module
 */
import type { EventSourceMessage } from 'eventsource-parser'
import { describeThrown, isCredentialError } from '../errors.ts'
import { drain } from '../transport/drain.ts'
import { onAbort, pause } from '../waiting.ts'
import { type BackOff, backOff } from './back-off.ts'
import { readMessage } from './body.ts'
import { mediaTypeOf, readEvents } from './event-stream.ts'
import {
  initializeOf,
  keyOf,
  type Message,
  MessageTooLongError,
  parseMessage,
  requestsOf,
  revisionOf,
} from './message.ts'
import {
  type Accepted,
  ContentError,
  isPassing,
  type PostOptions,
  refusalOf,
  SessionLostError,
  type Wire,
  type WireOptions,
} from './wire.ts'

const eventStream = 'text/event-stream'
/** The most attempts to resume a stream, which take more than a minute. */
const maxResumptions = 12
/**
 * A stream with this lifetime in milliseconds resets the delays; a shorter one counts as a failure, even if
 * it delivered messages.
 */
const stableStreamMs = 5000

/** The most bytes of an event ID: it is sent in a header, and servers accept about 8 KB of headers. */
const maxEventIdBytes = 4096

/** The position in a stream. */
interface Cursor {
  /** The message to which the stream responds; `undefined`: none. */
  readonly cause: Message | undefined
  /** The unanswered requests. */
  readonly open: Set<string>
  /** The last event ID, encoded for the header. */
  lastEventId: string | undefined
}

/** The result of an attempt to open a stream. */
interface Attempt {
  readonly wasOpen: boolean
  /** `undefined`: there was no response. */
  readonly status?: number
  /** Why there was no response. */
  readonly problem?: string
}

/** Sends each message with a POST, and reads the responses. */
export class StreamableWire implements Wire {
  readonly #options: WireOptions
  readonly #ending = new AbortController()
  #sessionId: string | undefined
  #revision: string | undefined
  #listening = false

  constructor(options: WireOptions) {
    this.#options = options
  }

  get isRetired(): boolean {
    return this.#ending.signal.aborted
  }

  negotiated(revision: string): void {
    this.#revision = revision
  }

  retire(): void {
    this.#ending.abort()
  }

  async post(message: Message, { signal, headers }: PostOptions): Promise<Accepted> {
    const isInitialize = initializeOf(message) !== undefined
    const sessionId = isInitialize ? undefined : this.#sessionId
    const response = await this.#options.fetch(this.#options.url, {
      method: 'POST',
      headers: {
        ...headers,
        ...this.#sessionHeaders(isInitialize ? undefined : (revisionOf(message) ?? this.#revision)),
        ...(sessionId === undefined ? {} : { 'Mcp-Session-Id': sessionId }),
        'Content-Type': 'application/json',
        Accept: `application/json, ${eventStream}`,
      },
      body: message.text,
      signal,
    })
    if (!response.ok) {
      const refusal = await refusalOf(response)
      if (sessionId !== undefined && refusal.endsSession) throw new SessionLostError(refusal)
      throw refusal
    }
    if (isInitialize) this.#sessionId = response.headers.get('Mcp-Session-Id') ?? undefined
    return { finished: this.#answer(response, message, signal) }
  }

  #sessionHeaders(revision: string | undefined): Record<string, string> {
    return revision === undefined ? {} : { 'MCP-Protocol-Version': revision }
  }

  async #answer(response: Response, message: Message, signal: AbortSignal): Promise<void> {
    const open = new Set(requestsOf(message).map(({ id }) => keyOf(id)))
    const mediaType = mediaTypeOf(response)
    if (open.size > 0 && mediaType === eventStream) {
      return this.#follow(response, { cause: message, open, lastEventId: undefined }, signal)
    }
    if (open.size === 0 || response.status === 202 || response.status === 204) {
      drain(response)
      return
    }
    const answer =
      mediaType === 'application/json' ? parseMessage(await readMessage(response)) : undefined
    if (answer === undefined) {
      drain(response)
      throw new ContentError(mediaType)
    }
    await this.#options.receive(this, answer, message)
  }

  /**
   * Reads the stream that responds to a message, and resumes it until all requests are answered or it
   * cannot be resumed.
   *
   * @throws {@link MessageTooLongError}: a resumed stream would start with the same message.
   */
  async #follow(first: Response, cursor: Cursor, signal: AbortSignal): Promise<void> {
    const delays = backOff(this.#options.random, 10_000)
    await this.#read(first, cursor, delays)
    let failures = 0
    while (cursor.open.size > 0 && cursor.lastEventId !== undefined && failures < maxResumptions) {
      try {
        await pause(delays.next(), signal, this.#ending.signal)
        const attempt = await this.#openStream(cursor, delays, signal)
        failures = attempt.wasOpen ? 0 : failures + 1
        if (isFinal(attempt)) return
      } catch (error) {
        if (error instanceof MessageTooLongError) throw error
        return
      }
    }
  }

  listen(): void {
    if (this.#listening) return
    this.#listening = true
    this.#listen().catch((error: unknown) => {
      if (error instanceof MessageTooLongError) this.#options.log(error.message)
    })
  }

  async #listen(): Promise<void> {
    const { signal } = this.#ending
    const cursor = { cause: undefined, open: new Set<string>(), lastEventId: undefined }
    const delays = backOff(this.#options.random)
    let isKnown = false
    for (;;) {
      const attempt = await this.#openStream(cursor, delays, signal)
      isKnown ||= attempt.wasOpen
      if (attempt.problem !== undefined) {
        this.#options.log(`The stream of notifications could not be opened: ${attempt.problem}.`)
      }
      // A server without such a stream responds with 405 or a similar status.
      if (attempt.status === 404 && isKnown) return this.#options.lost(this)
      if (isFinal(attempt)) return
      await pause(delays.next(), signal)
    }
  }

  /**
   * Requests a stream, and reads it to its end.
   *
   * @throws The reason of the signal when it has aborted, and {@link MessageTooLongError}.
   */
  async #openStream(cursor: Cursor, delays: BackOff, signal: AbortSignal): Promise<Attempt> {
    // The runtime keeps a listener on the signal of each request for some time.
    const ending = new AbortController()
    const stop = onAbort(signal, () => ending.abort(signal.reason))
    try {
      const response = await this.#get(cursor.lastEventId, ending.signal)
      const wasOpen = isEventStream(response)
      if (wasOpen) await this.#read(response, cursor, delays)
      else drain(response)
      return { wasOpen, status: response.status }
    } catch (error) {
      signal.throwIfAborted()
      return {
        wasOpen: false,
        problem: isCredentialError(error) ? error.code : describeThrown(error),
      }
    } finally {
      stop()
    }
  }

  #get(lastEventId: string | undefined, signal: AbortSignal): Promise<Response> {
    return this.#options.fetch(this.#options.url, {
      headers: {
        ...this.#sessionHeaders(this.#revision),
        ...(this.#sessionId === undefined ? {} : { 'Mcp-Session-Id': this.#sessionId }),
        ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
        Accept: eventStream,
      },
      signal,
    })
  }

  /**
   * Reads a stream to its end or until the connection is lost.
   *
   * @throws {@link MessageTooLongError}.
   */
  async #read(response: Response, cursor: Cursor, delays: BackOff): Promise<void> {
    const openedAt = performance.now()
    const onEvent = async ({ id, data, event }: EventSourceMessage) => {
      // A message counts as received when it has been delivered.
      if (data !== '' && (event === undefined || event === 'message'))
        await this.#pass(data, cursor)
      if (id !== undefined) cursor.lastEventId = headerOfEventId(id) ?? cursor.lastEventId
    }
    try {
      await readEvents(response, { onEvent, onRetry: (delay) => delays.serverAsks(delay) })
    } catch (error) {
      if (error instanceof MessageTooLongError) throw error
      // A lost connection is treated like the end of the stream.
    }
    if (performance.now() - openedAt > stableStreamMs) delays.reset()
  }

  async #pass(data: string, cursor: Cursor): Promise<void> {
    const message = parseMessage(data)
    if (message === undefined)
      return this.#options.log('The server sent an event that is not JSON.')
    for (const part of message.parts) {
      if (part.kind === 'response' && part.id !== undefined) cursor.open.delete(keyOf(part.id))
    }
    await this.#options.receive(this, message, cursor.cause)
  }

  async close(signal: AbortSignal): Promise<void> {
    const sessionId = this.#sessionId
    const isOver = this.isRetired
    this.retire()
    if (sessionId === undefined || isOver) return
    const response = await this.#options.fetch(this.#options.url, {
      method: 'DELETE',
      headers: { ...this.#sessionHeaders(this.#revision), 'Mcp-Session-Id': sessionId },
      signal,
    })
    drain(response)
  }
}

/** Whether the server does not offer the stream. */
function isFinal({ wasOpen, status }: Attempt): boolean {
  return !wasOpen && status !== undefined && !isPassing(status)
}

/** Encodes an event ID as UTF-8 bytes (HTML, section 9.2.4); `undefined`: it is not valid in a header. */
function headerOfEventId(id: string): string | undefined {
  const value = Buffer.from(id, 'utf8').toString('latin1')
  const isSound = value !== '' && value.length <= maxEventIdBytes
  const hasControls = [...value].some((sign) => sign < ' ' || sign === '\u007f')
  return isSound && !hasControls ? value : undefined
}

function isEventStream(response: Response): boolean {
  return response.ok && mediaTypeOf(response) === eventStream
}
