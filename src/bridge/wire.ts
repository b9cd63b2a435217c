/**
 * What carries messages to a server: one of the two HTTP transports.
 *
 * @module
 */
import { parseRetryAfter } from '../retry-after.ts'
import { readText } from './body.ts'
import { isObject, type JsonObject, type Message } from './message.ts'

/** The way to one session of a server. */
export interface Wire {
  /**
   * Sends a message. Resolves when the server has taken it.
   *
   * @throws {@link SessionLostError} when the server has forgotten the session, {@link RefusalError} when it
   * answers with another error status, and otherwise what `fetch` throws.
   */
  post(message: Message, options: PostOptions): Promise<Accepted>
  /** The revision on which client and server agreed. */
  negotiated(revision: string): void
  /** Opens the stream for what the server sends unasked. */
  listen(): void
  /** The session is over: nothing further is sent on it, and no stream of it is resumed. */
  retire(): void
  readonly isRetired: boolean
  /** Ends the session at the server, and closes its streams. */
  close(signal: AbortSignal): Promise<void>
}

/** How a message is sent. */
export interface PostOptions {
  readonly signal: AbortSignal
  /** Headers that say about the message what its text says, such as `Mcp-Method`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** The server has taken a message. */
export interface Accepted {
  /** Resolves when nothing further can arrive in answer to it; rejects when it could not be read. */
  readonly finished: Promise<void>
}

/** What a wire needs. */
export interface WireOptions {
  readonly fetch: (input: string | URL, init?: RequestInit) => Promise<Response>
  readonly url: URL
  readonly random: () => number
  /** A message has arrived; `cause` is the client's message that it belongs to, where that is known. */
  receive(wire: Wire, message: Message, cause: Message | undefined): Promise<void>
  /** The session is gone, and no message of the client has noticed it yet. */
  lost(wire: Wire): void
  /** Something that a person may want to know. */
  log(line: string): void
}

/** The server does not know the session any more. Nothing of the message was processed. */
export class SessionLostError extends Error {
  override readonly name = 'SessionLostError'
  readonly refusal: RefusalError | undefined

  constructor(refusal?: RefusalError) {
    super('The server has ended the session.')
    this.refusal = refusal
  }
}

/** The server answered with an error status. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError'
  readonly status: number
  /** Seconds after which the server wants to be asked again. */
  readonly retryAfter: number | undefined
  /** The JSON-RPC error response that came with it. */
  readonly response: JsonObject | undefined

  constructor(status: number, retryAfter: number | undefined, response: JsonObject | undefined) {
    super(`The server answered with status ${status}.`)
    this.status = status
    this.retryAfter = retryAfter
    this.response = response
  }
}

/** The server answered with something that is no message. */
export class ContentError extends Error {
  override readonly name = 'ContentError'
  readonly mediaType: string

  constructor(mediaType: string) {
    super('The server answered with something else than JSON or an event stream.')
    this.mediaType = mediaType
  }
}

/** Reads why a server refuses a message. */
export async function refusalOf(response: Response): Promise<RefusalError> {
  const text = await readText(response)
  const retryAfter = parseRetryAfter(response.headers.get('Retry-After'), Date.now())
  return new RefusalError(response.status, retryAfter, errorResponseOf(text))
}

function errorResponseOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value) || !isObject(value['error'])) return undefined
    const { code, message } = value['error']
    return typeof code === 'number' && typeof message === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether a refusal means that the session is gone (MCP 2025-11-25, Transports, Session Management). */
export function endsSession({ status, response }: RefusalError): boolean {
  if (status === 404) return true
  // Servers that were made after the SDK's examples answer 400, and say why.
  const error = response?.['error']
  const message = isObject(error) ? error['message'] : undefined
  return status === 400 && typeof message === 'string' && /\bsession\b/i.test(message)
}

/** Whether the same request may succeed later: the server is busy, away, or wants another credential. */
export function isPassing(status: number): boolean {
  return status >= 500 || [401, 403, 408, 429].includes(status)
}
