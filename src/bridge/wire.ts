/**
 * The interface of the two HTTP transports.
 *
 * @module
 */
import { parseRetryAfter } from '../retry-after.ts'
import { readText } from './body.ts'
import { isObject, type JsonObject, type Message } from './message.ts'

/** A connection to one session of a server. */
export interface Wire {
  /**
   * Sends a message. Resolves when the server has accepted it.
   *
   * @throws {@link SessionLostError} when the server has ended the session; {@link RefusalError} when it
   *   responds with another error status; otherwise the errors of `fetch`.
   */
  post(message: Message, options: PostOptions): Promise<Accepted>
  /** Sets the negotiated revision. */
  negotiated(revision: string): void
  /** Opens the stream for messages that the server sends on its own. */
  listen(): void
  /** Ends the use of the session: nothing more is sent on it, and its streams are not resumed. */
  retire(): void
  readonly isRetired: boolean
  /** Ends the session at the server, and closes its streams. */
  close(signal: AbortSignal): Promise<void>
}

/** The options for sending a message. */
export interface PostOptions {
  readonly signal: AbortSignal
  /** Headers that repeat parts of the message, such as `Mcp-Method`. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A message that the server has accepted. */
export interface Accepted {
  /** Resolves when no more responses can arrive; rejects when they could not be read. */
  readonly finished: Promise<void>
}

/** The options of a wire. */
export interface WireOptions {
  readonly fetch: (input: string | URL, init?: RequestInit) => Promise<Response>
  readonly url: URL
  readonly random: () => number
  /** Receives a message; `cause` is the client's message to which it belongs, if known. */
  receive(wire: Wire, message: Message, cause: Message | undefined): Promise<void>
  /** Called when a stream shows that the session has ended. */
  lost(wire: Wire): void
  /** Logs a line for the user. */
  log(line: string): void
}

/** The server has ended the session. The message was not processed. */
export class SessionLostError extends Error {
  override readonly name = 'SessionLostError'
  readonly refusal: RefusalError | undefined

  constructor(refusal?: RefusalError) {
    super('The server has ended the session.')
    this.refusal = refusal
  }
}

/** The server responded with an error status. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError'
  readonly status: number
  /** The seconds of `Retry-After`. */
  readonly retryAfter: number | undefined
  /** The target of a redirect, as the server wrote it. */
  readonly location: string | undefined
  /** The JSON-RPC error response in the body. */
  readonly response: JsonObject | undefined
  /** Whether the session has ended. */
  readonly endsSession: boolean

  constructor(
    status: number,
    about: Partial<Pick<RefusalError, 'retryAfter' | 'location' | 'response' | 'endsSession'>>,
  ) {
    super(`The server responded with status ${status}.`)
    this.status = status
    this.retryAfter = about.retryAfter
    this.location = about.location
    this.response = about.response
    this.endsSession = about.endsSession ?? false
  }
}

/** The server responded with an invalid protocol version. */
export class RevisionError extends Error {
  override readonly name = 'RevisionError'

  constructor() {
    super('The server responded with a protocol version that is not a date.')
  }
}

/** The response of the server is not a message. */
export class ContentError extends Error {
  override readonly name = 'ContentError'
  readonly mediaType: string

  constructor(mediaType: string) {
    super('The response of the server is neither JSON nor an event stream.')
    this.mediaType = mediaType
  }
}

/** Reads the response with which a server refuses a message. */
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

/**
 * The JSON-RPC errors with which the official SDKs refuse messages without a session, before they process
 * them.
 */
const unknownSessionErrors: ReadonlySet<string> = new Set([
  '-32000 Bad Request: Server not initialized',
  '-32000 Bad Request: Mcp-Session-Id header is required',
  '-32000 Bad Request: No valid session ID provided',
  '-32001 Session not found',
])
/** The same as plain text. */
const unknownSessionText = 'Bad Request: No valid session ID provided'

/**
 * Whether a 400 means that the session has ended; MCP 2025-11-25 (Transports, Session Management) requires
 * 404. The message is then retried, so only exact responses are accepted that prove that it was not
 * processed.
 */
function isUnknownSession(text: string, response: JsonObject | undefined): boolean {
  if (response === undefined) return text.trim() === unknownSessionText
  const { id, error } = response
  // A server that returns the ID has parsed the request.
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

/**
 * Whether the same request may succeed later: the server is busy, unavailable, or requires another
 * credential.
 */
export function isPassing(status: number): boolean {
  return status >= 500 || [401, 403, 408, 429].includes(status)
}
