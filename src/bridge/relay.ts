/**
 * Relays messages between one client and the server.
 *
 * @module
 */
import { isCredentialError } from '../errors.ts'
import { onAbort, within } from '../waiting.ts'
import { type Exchange, type Sink, startExchange } from './exchange.ts'
import {
  BridgeClosedError,
  failureOf,
  idInUseFailure,
  lengthFailure,
  parseFailure,
  ResponseLostError,
} from './failure.ts'
import { loginInputText, takeLoginConsent, takesLoginInput } from './login-input.ts'
import { type LoginDelivery, LoginOffers, type OnLoginRequired } from './login-offers.ts'
import {
  agreedRevisionOf,
  cancelledRequestOf,
  errorText,
  initializeOf,
  isExactId,
  isObject,
  isRevision,
  type JsonObject,
  keyOf,
  type Message,
  type Part,
  parseClientMessage,
  type RequestId,
  type RequestPart,
  requestsOf,
  revisionOf,
} from './message.ts'
import type { Channel } from './optional-credential.ts'
import { isIdempotent } from './retries.ts'
import { Session } from './session.ts'
import { RefusalError, RevisionError, SessionLostError, type WireOptions } from './wire.ts'

/** The options of a relay. */
export interface RelayOptions extends Pick<WireOptions, 'url' | 'random' | 'log'> {
  /** The connection of the client to the server. */
  readonly channel: Channel
  /** Receives messages that belong to no request of the client. */
  readonly deliver: Sink
  readonly onLoginRequired: OnLoginRequired | undefined
  /** Logins that are shared with other relays. Default: separate logins. */
  readonly logins?: LoginOffers
  /** The account of the login, if there are several. */
  readonly account: string | undefined
}

/** The context of a message from a client. */
export interface Arrival {
  /** Receives the responses to the message. Default: the sink of all other messages. */
  readonly sink?: Sink
  readonly headers?: Readonly<Record<string, string>>
}

/** How long a message waits for earlier notifications, in milliseconds; a server may not respond to them. */
const maxOrderMs = 10_000
// A subscription lasts until its client disconnects, so its end is not awaited.
const endlessMethods: ReadonlySet<string> = new Set(['subscriptions/listen'])

/** Relays between one client and the server. */
export class Relay {
  readonly #options: RelayOptions
  readonly #session: Session
  readonly #logins: LoginOffers
  readonly #closing = new AbortController()
  readonly #exchanges = new Map<string, Exchange>()
  /** Resolves when earlier notifications and the initialization have reached the server. */
  #order: Promise<unknown> = Promise.resolve()
  readonly #idleListeners = new Set<() => void>()

  constructor(options: RelayOptions) {
    this.#options = options
    const notify = (text: string) => options.deliver(text, { isLast: false })
    this.#logins = options.logins ?? new LoginOffers(options.onLoginRequired, notify)
    this.#session = new Session({
      ...options,
      fetch: (input, init) => this.#fetch(input, init),
      receive: (message, cause) => this.#deliver(message, cause),
    })
  }

  /**
   * Receives a message of the client; `undefined`: one that is too long. Resolves when the server has
   * accepted it, or the client has received an error.
   */
  async receive(text: string | undefined, arrival: Arrival = {}): Promise<void> {
    const sink = arrival.sink ?? this.#options.deliver
    const message = text === undefined ? 'too long' : parseClientMessage(text)
    if (typeof message === 'string') {
      const failure = message === 'too long' ? lengthFailure : parseFailure
      return sink(errorText(null, failure), { isLast: true })
    }
    const requests = requestsOf(message)
    const isInUse = ({ id }: RequestPart) => this.#exchanges.has(keyOf(id))
    if (requests.some(isInUse)) return refuse(requests, sink)
    if (requests.length > 0) return this.#request(message, sink, arrival.headers)
    const cancelled = cancelledRequestOf(message)
    if (cancelled !== undefined) return this.#cancel(message, cancelled, arrival.headers)
    if (message.parts[0]?.kind === 'response') return this.#send(message, arrival.headers)
    // Notifications reach the server in their original order, as on a pipe.
    return this.#inOrder(() => this.#send(message, arrival.headers))
  }

  /** Resolves when all requests are answered, except subscriptions. */
  async idle(): Promise<void> {
    while (!this.#isIdle()) await new Promise<void>((resolve) => this.#idleListeners.add(resolve))
  }

  #isIdle(): boolean {
    for (const { open } of this.#exchanges.values()) {
      for (const { method } of open.values()) if (!endlessMethods.has(method)) return false
    }
    return true
  }

  /** Sends a message without a response. Errors are only logged. */
  async #send(message: Message, headers: Arrival['headers']): Promise<void> {
    // The runtime keeps a listener on the signal of each request for some time.
    const ending = new AbortController()
    const stop = onAbort(this.#closing.signal, () => ending.abort())
    try {
      await this.#session.send(message, { signal: ending.signal, headers })
    } catch (error) {
      if (ending.signal.aborted) return
      const { message: problem } = failureOf(error, this.#options.url, { mayHaveActed: false })
      this.#options.log(`A notification was not delivered: ${problem}`)
    } finally {
      stop()
    }
  }

  async #fetch(input: string | URL, init?: RequestInit): Promise<Response> {
    const { channel } = this.#options
    const response = await channel.fetch(input, init)
    // A success without a credential does not prove a login.
    if (response.ok && channel.hadCredential(response)) this.#logins.succeeded()
    return response
  }

  #inOrder(send: () => Promise<void>): Promise<void> {
    const sent = this.#order.then(send)
    this.#order = within(maxOrderMs, sent, { keepsProcess: false })
    return sent
  }

  async #request(message: Message, sink: Sink, headers: Arrival['headers']): Promise<void> {
    const { message: relayed, consent } = takeLoginConsent(message)
    const exchange = startExchange(relayed, sink, consent)
    for (const key of exchange.open.keys()) this.#exchanges.set(key, exchange)
    const initialize = initializeOf(message)
    if (initialize !== undefined) this.#logins.announced(initialize.params['capabilities'])
    const earlier = this.#order
    // Later messages require the session, which exists when `initialize` is answered.
    if (initialize !== undefined) this.#order = exchange.answered
    await earlier
    await this.#exchange(exchange, headers)
  }

  async #exchange(exchange: Exchange, headers: Arrival['headers']): Promise<void> {
    const { message, signal } = exchange
    const onLeave = () => {
      exchange.wasSent = true
    }
    try {
      signal.throwIfAborted()
      if (exchange.consent === 'given') await this.#logins.over(signal)
      const accepted = await this.#session.send(message, { signal, headers, onLeave })
      accepted?.finished
        .then(() => new ResponseLostError())
        .catch((error: unknown) => error)
        .then((error) => this.#fail(exchange, error))
        .catch(() => {})
    } catch (error) {
      await this.#fail(exchange, error)
    }
  }

  /** Sends an error for every unanswered request of an exchange. */
  async #fail(exchange: Exchange, error: unknown): Promise<void> {
    const unanswered = [...exchange.open]
    for (const [key] of unanswered) this.#forget(key, exchange)
    if (unanswered.length === 0) return
    const answer = await this.#answerFor(exchange, error)
    for (const [index, [, { id }]] of unanswered.entries()) {
      await exchange.sink(answer(id), { isLast: index === unanswered.length - 1 })
    }
  }

  async #answerFor(exchange: Exchange, error: unknown): Promise<(id: RequestId) => string> {
    const { message, wasSent } = exchange
    const mayHaveActed = wasSent && !isIdempotent(message)
    const { url, account } = this.#options
    const failed = () => failureOf(error, url, { mayHaveActed, account })
    const refusal = error instanceof SessionLostError ? error.refusal : error
    if (refusal instanceof RefusalError && refusal.response !== undefined && !isDenial(refusal)) {
      // The server's own error, which may lack the ID of the request.
      const { response } = refusal
      return (id) => withId(response, id) ?? errorText(id, failed())
    }
    if (!isCredentialError(error, 'login_required')) return (id) => errorText(id, failed())
    if (exchange.consent === 'refused') return (id) => errorText(id, failed())
    const answer = await this.#logins.answer(error, failed(), this.#wayOf(exchange))
    if ('failure' in answer) return (id) => errorText(id, answer.failure)
    return (id) => loginInputText(id, answer.input.url, answer.input.message)
  }

  /**
   * Determines how the client receives a login; a client without a session sends its capabilities with each
   * request.
   */
  #wayOf({ message, consent }: Exchange): LoginDelivery {
    if (consent !== undefined) return 'open login'
    if (revisionOf(message) === undefined) return this.#logins.way
    return takesLoginInput(message) ? 'input' : 'text'
  }

  async #cancel(message: Message, id: RequestId, headers: Arrival['headers']): Promise<void> {
    const exchange = this.#exchanges.get(keyOf(id))
    if (exchange !== undefined) this.#forget(keyOf(id), exchange)
    const isOver = exchange !== undefined && exchange.open.size === 0
    // Without a session, closing the request cancels it (MCP 2026-07-28, Cancellation).
    const isStateless = revisionOf(exchange?.message ?? message) !== undefined
    if (isStateless || exchange?.wasSent === false) {
      if (isOver) exchange.abort()
      return
    }
    await this.#inOrder(() => this.#send(message, headers))
    if (isOver) exchange.abort()
  }

  #forget(key: string, exchange: Exchange): void {
    exchange.settle(key)
    // A client may have reused the ID.
    if (this.#exchanges.get(key) === exchange) this.#exchanges.delete(key)
    if (!this.#isIdle()) return
    for (const listener of this.#idleListeners) listener()
    this.#idleListeners.clear()
  }

  async #deliver(message: Message, cause: Message | undefined): Promise<void> {
    const keys = message.parts.map(keyOfAnswer)
    const answered = keys.map((key) => (key === undefined ? undefined : this.#exchanges.get(key)))
    const isWanted = message.parts.map(
      ({ kind }, index) =>
        // An invalid message would be a second response beside that of the bridge.
        kind !== 'unknown' && (kind !== 'response' || answered[index] !== undefined),
    )
    if (!isWanted.includes(true)) return this.#failUnaddressed(message, cause)
    const misled = answered.find((each, index) => hasInvalidRevision(each, message.parts[index]))
    if (misled !== undefined) return this.#fail(misled, new RevisionError())
    // This may fail, so it precedes marking requests as answered.
    const text = isWanted.includes(false) ? onlyAwaited(message.text, isWanted) : message.text
    for (const [index, exchange] of answered.entries()) {
      const key = keys[index]
      if (exchange === undefined || key === undefined) continue
      const part = message.parts[index]
      if (part !== undefined) this.#session.answered(exchange.message, part)
      this.#forget(key, exchange)
    }
    const exchange = answered.find((each) => each !== undefined) ?? this.#exchangeOf(cause)
    const sink = exchange?.sink ?? this.#options.deliver
    const isLast = exchange !== undefined && exchange.open.size === 0
    await sink(text, { isLast })
  }

  /**
   * Handles an error response without an ID, for a request that the server could not identify (JSON-RPC
   * 2.0, section 5).
   */
  async #failUnaddressed({ parts }: Message, cause: Message | undefined): Promise<void> {
    const [part, ...others] = parts
    const exchange = this.#exchangeOf(cause)
    if (exchange === undefined || others.length > 0 || part?.kind !== 'response') return
    if (part.id !== undefined || part.error === undefined) return
    const response = { jsonrpc: '2.0', error: part.error }
    await this.#fail(exchange, new RefusalError(200, { response }))
  }

  #exchangeOf(cause: Message | undefined): Exchange | undefined {
    const [request] = cause === undefined ? [] : requestsOf(cause)
    return request === undefined ? undefined : this.#exchanges.get(keyOf(request.id))
  }

  /**
   * Aborts every request of the client, and ends the session at the server.
   *
   * @param signal - Aborts the wait for the server.
   */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort()
    for (const exchange of new Set(this.#exchanges.values())) {
      exchange.abort()
      await this.#fail(exchange, new BridgeClosedError())
    }
    await this.#session.close(signal)
  }
}

/** Whether the credential was refused; then the bridge's error has a better remedy than the server's. */
function isDenial({ status }: RefusalError): boolean {
  return status === 401 || status === 403
}

/** Refuses requests whose IDs are in use. */
async function refuse(requests: readonly RequestPart[], sink: Sink): Promise<void> {
  for (const [index, { id }] of requests.entries()) {
    // An inexact ID could be that of another request.
    const known = isExactId(id) ? id : null
    await sink(errorText(known, idInUseFailure), { isLast: index === requests.length - 1 })
  }
}

/** Whether a response to `initialize` contains an invalid protocol version. */
function hasInvalidRevision(exchange: Exchange | undefined, answer: Part | undefined): boolean {
  if (exchange === undefined || answer === undefined) return false
  if (initializeOf(exchange.message) === undefined) return false
  const revision = agreedRevisionOf(answer)
  return revision !== undefined && !isRevision(revision)
}

function keyOfAnswer(part: Part): string | undefined {
  return part.kind === 'response' && part.id !== undefined ? keyOf(part.id) : undefined
}

/** Adds the request ID to a response; `undefined`: it is nested too deeply to be serialized. */
function withId(response: JsonObject, id: RequestId): string | undefined {
  try {
    return JSON.stringify({ ...response, id })
  } catch {
    return undefined
  }
}

/** The responses of a batch for which the client still waits. */
function onlyAwaited(text: string, isWanted: readonly boolean[]): string {
  const batch: unknown = JSON.parse(text)
  const wanted = Array.isArray(batch) ? batch.filter((_, index) => isWanted[index]) : batch
  return JSON.stringify(isObject(wanted) ? [wanted] : wanted)
}
