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
  /** Where it redirects to, as the server wrote it. */
  readonly location: string | undefined
  /** The JSON-RPC error response that came with it. */
  readonly response: JsonObject | undefined
  /** The session is gone. */
  readonly endsSession: boolean

  constructor(
    status: number,
    about: Partial<Pick<RefusalError, 'retryAfter' | 'location' | 'response' | 'endsSession'>>,
  ) {
    super(`The server answered with status ${status}.`)
    this.status = status
    this.retryAfter = about.retryAfter
    this.location = about.location
    this.response = about.response
    this.endsSession = about.endsSession ?? false
  }
}

/** The server agreed on a protocol version that cannot be one. */
export class RevisionError extends Error {
  override readonly name = 'RevisionError'

  constructor() {
    super('The server agreed on a protocol version that is no date.')
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
  const { status, headers } = response
  const text = await readText(response)
  const answer = errorResponseOf(text)
  return new RefusalError(status, {
    retryAfter: parseRetryAfter(headers.get('Retry-After'), Date.now()),
    location: headers.get('Location') ?? undefined,
    response: answer,
    endsSession: status === 404 || (status === 400 && isUnknownSession(text, answer)),
  })
}

/** The JSON-RPC errors with which the official SDKs refuse what belongs to no session, before they look at it. */
const unknownSessionErrors: ReadonlySet<string> = new Set([
  '-32000 Bad Request: Server not initialized',
  '-32000 Bad Request: Mcp-Session-Id header is required',
  '-32000 Bad Request: No valid session ID provided',
  '-32001 Session not found',
])
/** The same as plain text. */
const unknownSessionText = 'Bad Request: No valid session ID provided'

/**
 * Whether a 400 says that the session is gone, which MCP 2025-11-25 (Transports, Session Management) leaves to 404. A
 * message may be sent again then, so nothing counts but the very answers of those who never processed it.
 */
function isUnknownSession(text: string, response: JsonObject | undefined): boolean {
  if (response === undefined) return text.trim() === unknownSessionText
  const { id, error } = response
  // Whoever knows the identifier has read the request.
  const isUnaddressed = id === null || id === undefined || id === 'server-error'
  return (
    isUnaddressed &&
    isObject(error) &&
    unknownSessionErrors.has(`${error['code']} ${error['message']}`)
  )
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

/** Whether the same request may succeed later: the server is busy, away, or wants another credential. */
export function isPassing(status: number): boolean {
  return status >= 500 || [401, 403, 408, 429].includes(status)
}
