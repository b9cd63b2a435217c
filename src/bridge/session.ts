/**
 * A client's session at the server, for both transports. It is renewed when the server has ended its
 * session. It is long because every step of a renewal reads the same state, which has this one owner.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import { isCredentialError, systemErrorCode } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { abortable, pause, withTimeLimit } from '../waiting.ts'
import { type BackOff, backOff } from './back-off.ts'
import { type ClientSettings, clientSettings } from './client-settings.ts'
import { type DerivedHeaders, derivedHeaders } from './derived-headers.ts'
import {
  agreedRevisionOf,
  cancelledRequestOf,
  initializeOf,
  isRevision,
  type JsonObject,
  keyOf,
  type Message,
  notificationText,
  type Part,
  parseMessage,
  requestsOf,
} from './message.ts'
import { openOlderWire } from './older-wire.ts'
import { recentRequests } from './recent-requests.ts'
import { delayBefore, longestDelayMs, mayRetry } from './retries.ts'
import { StreamableWire } from './streamable-wire.ts'
import {
  type Accepted,
  RefusalError,
  RevisionError,
  SessionLostError,
  type Wire,
  type WireOptions,
} from './wire.ts'

/** The options of a session. */
export interface SessionOptions extends Omit<WireOptions, 'receive' | 'lost'> {
  /** Receives a message of the server; `cause` is the client's message to which it belongs, if known. */
  receive(message: Message, cause: Message | undefined): Promise<void>
}

/** The options for sending a message. */
export interface SendOptions {
  readonly signal: AbortSignal
  /** Headers of the client's request. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Called when the message is sent; before that, it can be cancelled without notifying the server. */
  onLeave?(): void
}

// The responses of a server with the older transport to the first POST (MCP 2025-11-25, Transports, Backwards
// Compatibility).
const olderTransport: ReadonlySet<number> = new Set([400, 404, 405])
/** The most attempts, about 25 seconds with their delays: clients time out after a minute. */
const maxAttempts = 8
/** The time limit of all attempts in milliseconds, because connecting takes time too. */
const maxRetryMs = 40_000
/** The time limit for `initialize` in milliseconds: the user waits for it, and the URL may be wrong. */
const maxInitializeMs = 4000
/** A session with this lifetime in milliseconds resets the delays. */
const stableSessionMs = 5000
const renewalTimeoutMs = 30_000
/** The time limit for restoring settings in milliseconds; the client waits for it. */
const settingsTimeoutMs = 10_000

/** Sends a client's messages, and renews the session when the server has ended it. */
export class Session {
  readonly #options: SessionOptions
  readonly #wireOptions: WireOptions
  readonly #closing = new AbortController()
  readonly #headers: DerivedHeaders = derivedHeaders()
  /** The server session of each unanswered request of the server. */
  readonly #serverRequests = recentRequests<Wire>()
  #wire: Wire | undefined
  #usesOlderTransport = false
  #initialize: Message | undefined
  #renewal: Promise<Wire> | undefined
  /** Receives the responses to requests of a renewal. */
  readonly #ownResponses = new Map<string, (part: Part) => void>()
  readonly #settings: ClientSettings = clientSettings()
  /** Shared by all sessions, because a server may end each of them immediately. */
  readonly #restorations: BackOff
  #beganAt = 0
  /** Whether the log already contains that the server cannot be reached. */
  #isUnreachable = false

  constructor(options: SessionOptions) {
    this.#options = options
    this.#restorations = backOff(options.random)
    this.#wireOptions = {
      ...options,
      receive: (wire, message, cause) => this.#receive(wire, message, cause),
      lost: (wire) => this.#lost(wire),
    }
  }

  /**
   * Sends a message, and retries for some time if the server cannot be reached, or is busy and the message
   * is idempotent.
   *
   * @returns `undefined`: the message responds to a request of an ended session, so it was not sent.
   * @throws As {@link Wire.post} does.
   */
  async send(message: Message, options: SendOptions): Promise<Accepted | undefined> {
    const delays = backOff(this.#options.random, longestDelayMs)
    const startedAt = performance.now()
    const isInitialize = initializeOf(message) !== undefined
    let isSentAgain = false
    for (let attempt = 1; ; attempt += 1) {
      try {
        const accepted = await this.#post(message, options)
        this.#isUnreachable = false
        return accepted
      } catch (error) {
        options.signal.throwIfAborted()
        if (error instanceof SessionLostError && this.#initialize !== undefined && !isSentAgain) {
          isSentAgain = true
          continue
        }
        const delayMs = delayBefore(error, delays.next())
        const isShort = isInitialize && !(error instanceof RefusalError)
        const limitMs = isShort ? maxInitializeMs : maxRetryMs
        const endsAt = performance.now() + delayMs
        const isOver = attempt >= maxAttempts || endsAt - startedAt > limitMs
        if (isOver || !mayRetry(message, error)) throw error
        this.#logUnreachable(error, limitMs)
        await pause(delayMs, options.signal, this.#closing.signal)
      }
    }
  }

  #logUnreachable(error: unknown, limitMs: number): void {
    if (this.#isUnreachable || error instanceof RefusalError) return
    this.#isUnreachable = true
    const { url, log } = this.#options
    const code = systemErrorCode(error) ?? 'timeout'
    const problem = isCredentialError(error)
      ? error.message
      : `${resourceLabel(url)} cannot be reached (${code}).`
    log(`${problem} Retrying for ${limitMs / 1000} s.`)
  }

  async #post(message: Message, options: SendOptions): Promise<Accepted | undefined> {
    const { signal, onLeave } = options
    const isInitialize = initializeOf(message) !== undefined
    const target = this.#targetOfAnswer(message)
    if (target?.isRetired === true) return undefined
    const wire = target ?? (isInitialize ? await this.#begin(signal) : await this.#current(signal))
    const headers = { ...this.#headers.of(message), ...options.headers }
    onLeave?.()
    if (isInitialize) this.#beginsAnew()
    try {
      const accepted = await wire.post(message, { signal, headers })
      if (isInitializedNotification(message)) wire.listen()
      return accepted
    } catch (error) {
      if (error instanceof SessionLostError) wire.retire()
      if (!isInitialize || !isOlderTransport(error) || this.#usesOlderTransport) throw error
      this.#wire = await openOlderWire(this.#wireOptions, signal).catch((reason: unknown) => {
        // Neither transport works, so the first error is more useful, unless the second is about a credential.
        throw isCredentialError(reason) ? reason : error
      })
      this.#usesOlderTransport = true
      return this.#wire.post(message, { signal })
    }
  }

  /** Starts a new session for `initialize`. */
  async #begin(signal: AbortSignal): Promise<Wire> {
    const old = this.#wire
    this.#wire = await this.#open(signal)
    this.#beganAt = performance.now()
    old?.close(this.#closing.signal).catch(() => {})
    return this.#wire
  }

  async #current(signal: AbortSignal): Promise<Wire> {
    const wire = this.#wire
    if (this.#renewal !== undefined) return abortable(this.#renewal, signal)
    if (wire?.isRetired === true && this.#initialize !== undefined) {
      return abortable(this.#renew(wire, this.#initialize), signal)
    }
    this.#wire ??= await this.#open(signal)
    return this.#wire
  }

  async #open(signal: AbortSignal): Promise<Wire> {
    if (this.#usesOlderTransport) return openOlderWire(this.#wireOptions, signal)
    return new StreamableWire(this.#wireOptions)
  }

  /** The session of the request to which a message responds. */
  #targetOfAnswer({ parts: [part] }: Message): Wire | undefined {
    if (part?.kind !== 'response' || part.id === undefined) return undefined
    return this.#serverRequests.take(keyOf(part.id))
  }

  #renew(old: Wire, initialize: Message): Promise<Wire> {
    this.#renewal ??= this.#beginAgain(old, initialize).finally(() => {
      this.#renewal = undefined
    })
    return this.#renewal
  }

  #beginsAnew(): void {
    this.#initialize = undefined
    this.#settings.clear()
  }

  async #beginAgain(old: Wire, initialize: Message): Promise<Wire> {
    this.#options.log('The server has ended the session; starting a new one.')
    await this.#forgetServerRequests(old)
    const wire = await withTimeLimit(renewalTimeoutMs, this.#closing.signal, async (signal) => {
      const fresh = await this.#open(signal)
      await this.#initializeAgain(fresh, initialize, signal)
      return fresh
    })
    await this.#restoreSettings(wire)
    this.#wire = wire
    this.#beganAt = performance.now()
    wire.listen()
    return wire
  }

  async #initializeAgain(wire: Wire, initialize: Message, signal: AbortSignal): Promise<void> {
    const [request] = requestsOf(initialize)
    try {
      const answer = await this.#request(wire, 'initialize', request?.params ?? {}, signal)
      if (answer === undefined) throw new SessionLostError()
      const revision = agreedRevisionOf(answer)
      if (revision !== undefined && !isRevision(revision)) throw new RevisionError()
      if (revision !== undefined) wire.negotiated(revision)
      await wire.post(messageOf(notificationText('notifications/initialized')), { signal })
    } catch (error) {
      wire.retire()
      throw error
    }
  }

  /** Sends a request of the bridge; `undefined`: the response has no result. */
  async #request(
    wire: Wire,
    method: string,
    params: JsonObject,
    signal: AbortSignal,
  ): Promise<Part | undefined> {
    const id = `mcp-credentials-${randomUUID()}`
    const answer = new Promise<Part>((resolve) => {
      this.#ownResponses.set(keyOf(id), resolve)
    })
    try {
      const message = messageOf(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
      const { finished } = await wire.post(message, { signal })
      const part = await abortable(Promise.race([answer, finished]), signal)
      return part?.kind === 'response' && part.result !== undefined ? part : undefined
    } finally {
      this.#ownResponses.delete(keyOf(id))
    }
  }

  /**
   * Restores the client's settings in a new session. If the server refuses, the session is used without
   * them.
   */
  async #restoreSettings(wire: Wire): Promise<void> {
    const failed = new Set<string>()
    const restore = async (signal: AbortSignal) => {
      for (const { method, params } of this.#settings.requests()) {
        const answer = await this.#request(wire, method, params, signal).catch(() => undefined)
        if (answer === undefined) failed.add(method)
        signal.throwIfAborted()
      }
    }
    await withTimeLimit(settingsTimeoutMs, this.#closing.signal, restore).catch(() => {})
    for (const method of failed) {
      this.#options.log(
        `The new session refused ${method}, which restores a setting of the client.`,
      )
    }
  }

  /** Cancels requests of an ended session at the client. */
  async #forgetServerRequests(old: Wire): Promise<void> {
    for (const key of this.#serverRequests.keysOf(old)) {
      const [kind, ...id] = key.split(' ')
      const requestId = kind === 'number' ? Number(id.join(' ')) : id.join(' ')
      const reason = 'The server has ended the session.'
      const text = notificationText('notifications/cancelled', { requestId, reason })
      await this.#options.receive(messageOf(text), undefined)
    }
  }

  /** Handles a stream that shows that the session has ended, while the client may wait for its messages. */
  #lost(wire: Wire): void {
    wire.retire()
    this.#restore(wire).catch(() => {})
  }

  async #restore(wire: Wire): Promise<void> {
    if (performance.now() - this.#beganAt > stableSessionMs) this.#restorations.reset()
    while (this.#wire === wire && this.#initialize !== undefined) {
      await pause(this.#restorations.next(), this.#closing.signal)
      if (this.#wire !== wire || this.#initialize === undefined) return
      await this.#renew(wire, this.#initialize).catch(() => {})
    }
  }

  async #receive(wire: Wire, message: Message, cause: Message | undefined): Promise<void> {
    const [part] = message.parts
    if (part?.kind === 'response' && part.id !== undefined) {
      const take = this.#ownResponses.get(keyOf(part.id))
      if (take !== undefined) return take(part)
    }
    const cancelled = cancelledRequestOf(message)
    if (cancelled !== undefined) this.#serverRequests.take(keyOf(cancelled))
    for (const each of requestsOf(message)) this.#serverRequests.add(keyOf(each.id), wire)
    await this.#options.receive(message, cause)
  }

  /** Records a response of the server to a request of the client. */
  answered(request: Message, answer: Part): void {
    if (answer.kind !== 'response' || answer.result === undefined) return
    if (initializeOf(request) !== undefined) {
      this.#initialize = request
      const revision = agreedRevisionOf(answer)
      if (revision !== undefined) this.#wire?.negotiated(revision)
    }
    const requests = requestsOf(request)
    this.#headers.learn(requests[0], answer)
    this.#settings.answered(
      requests.find(({ id }) => answer.id !== undefined && keyOf(id) === keyOf(answer.id)),
      answer,
    )
  }

  /** Ends the session at the server. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort()
    await this.#wire?.close(signal).catch(() => {})
  }
}

function messageOf(text: string): Message {
  const message = parseMessage(text)
  if (message === undefined) throw new TypeError('The message of the bridge is not JSON.')
  return message
}

function isInitializedNotification({ parts: [part] }: Message): boolean {
  return part?.kind === 'notification' && part.method === 'notifications/initialized'
}

function isOlderTransport(error: unknown): boolean {
  return error instanceof RefusalError && olderTransport.has(error.status)
}
