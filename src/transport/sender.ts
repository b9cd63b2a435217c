/**
 * Sends the requests of one manager, and retries them.
 *
 * @module
 */
import type { Challenge, Credential } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { parseRetryAfter } from '../retry-after.ts'
import { abortable, pause } from '../waiting.ts'
import { parseChallenges } from '../www-authenticate.ts'
import type { Call } from './call.ts'
import { type Channel, observeResponse, whereOf } from './credential-calls.ts'
import { discardAndThrow, drain } from './drain.ts'
import { credentialOf, withoutEchoes } from './echoed-credential.ts'
import { answerEventSource, isEventSourceRequest } from './event-source.ts'
import { finalRefusal } from './final-refusal.ts'
import { type Exchange, isRefused, sendAttempt } from './hop.ts'
import { LinkedSignal } from './linked-signal.ts'
import { withLoginTimeout } from './login-timeout.ts'
import { Content } from './outgoing.ts'
import { type ResolvedRetryPolicy, retryDelay } from './retry.ts'

/** Limits the step-ups of one request, for a server that names new scopes again and again. */
const maxStepUps = 2
/** Limits the restarts of one request, for an application that logs out again and again. */
const maxRestarts = 5

/** The state of a request across its attempts. */
interface Run {
  readonly call: Call
  readonly content: Content
  readonly signal: AbortSignal | undefined
  /** The number of the next attempt, from 1. */
  attempt: number
  retries: number
  stepUps: number
  resends: number
  restarts: number
}

/** What a response means for the credential. */
interface Verdict {
  readonly refused: boolean
  /** Whether a renewed credential or a corrected time may succeed. */
  readonly worthwhile: boolean
  readonly challenges: readonly Challenge[]
}

const noVerdict: Verdict = { refused: false, worthwhile: false, challenges: [] }

/** Sends the requests of one manager. */
export class Sender {
  readonly #channel: Channel
  readonly #policy: ResolvedRetryPolicy
  #streamOpened = false

  constructor(channel: Channel, policy: ResolvedRetryPolicy) {
    this.#channel = channel
    this.#policy = policy
  }

  /**
   * Sends a request with the manager's credential.
   *
   * @throws `CredentialError` when there is no credential or the manager is closed; otherwise what the
   * network throws.
   */
  request(call: Call): Promise<Response> {
    return isEventSourceRequest(call) ? this.#openStream(call) : this.#run(call)
  }

  async #openStream(call: Call): Promise<Response> {
    try {
      const response = await this.#run(call)
      if (response.ok) this.#streamOpened = true
      return response
    } catch (error) {
      return answerEventSource(error, this.#streamOpened)
    }
  }

  async #run(call: Call): Promise<Response> {
    const { port } = this.#channel
    const signal = call.init.signal ?? undefined
    const content = new Content(call.init.body)
    const counts = { attempt: 1, retries: 0, stepUps: 0, resends: 0, restarts: 0 }
    const run: Run = { call, content, signal, ...counts }
    if (port.wantsChallenge && content.replayable) {
      const open = await this.#sendWithoutCredential(run)
      if (open !== undefined) return open
    }
    for (;;) {
      const abort = new LinkedSignal(signal, port.ending)
      try {
        const response = await this.#attempt(run, abort)
        if (response !== undefined) return response
      } finally {
        abort.release()
      }
    }
  }

  /** Makes one attempt; `undefined`: another one follows. */
  async #attempt(run: Run, abort: LinkedSignal): Promise<Response | undefined> {
    const channel = this.#channel
    const { port } = channel
    const { call, content, signal } = run
    const { session, ending } = port
    const credential = port.current() ?? (await this.#credential(signal))
    const offset = port.clockOffset
    const sentAt = channel.now()
    const number = run.attempt
    const exchange = await sendAttempt(channel, {
      call,
      content,
      credential,
      session,
      ending,
      number,
      abort,
    })
    if (exchange === undefined) return this.#restart(run)
    const { response, request } = exchange
    if (credential.observe === undefined) {
      return this.#settle(run, exchange, credential, offset, sentAt)
    }
    const asked = await observeResponse(channel, credential, response, request, signal).catch(
      (error: unknown) => discardAndThrow(response, error),
    )
    if (asked === 'resend' && !content.replayable) return response
    if (asked === 'resend' && run.resends < port.maxResends) {
      run.resends += 1
      run.attempt += 1
      drain(response)
      return undefined
    }
    const refused = exchange.refused || asked === 'renew'
    return this.#settle(run, { request, response, refused }, credential, offset, sentAt)
  }

  /** Returns the response to the caller, or prepares another attempt. */
  #settle(
    run: Run,
    exchange: Exchange,
    credential: Credential,
    offset: number,
    sentAt: number,
  ): Response | Promise<Response | undefined> {
    const verdict = this.#judge(run, exchange, credential, offset, sentAt)
    if (!verdict.refused && exchange.response.status < 400) return exchange.response
    return this.#sendAgain(run, exchange, credential, verdict)
  }

  async #sendAgain(
    run: Run,
    { response, request }: Exchange,
    credential: Credential,
    verdict: Verdict,
  ): Promise<Response | undefined> {
    const { port } = this.#channel
    const { content, signal } = run
    const { status } = response
    const discard = (error: unknown) => discardAndThrow(response, error)
    const steppedUp =
      status === 403 &&
      content.replayable &&
      run.stepUps < maxStepUps &&
      (await this.#stepUp(verdict, credential, signal).catch(discard))
    const wait = steppedUp ? 0 : this.#retryIn(response, run.retries, verdict)
    if (wait === undefined || !content.replayable) {
      if (verdict.refused) {
        const { method } = request
        port.emit({ type: 'request_rejected', status, method, attempts: run.attempt })
      }
      const isRefusal = verdict.refused || status === 403
      if (isRefusal && this.#channel.throwOnRefusal) {
        discard(finalRefusal(this.#channel, credential, status))
      }
      return response
    }
    if (steppedUp) run.stepUps += 1
    else run.retries += 1
    // The renewal comes first: when it fails, its error is more specific than the 401.
    if (verdict.worthwhile) await this.#credential(signal).catch(discard)
    drain(response)
    run.attempt += 1
    port.emit({ type: 'request_retry', status, attempt: run.attempt, delayMs: wait })
    await pause(wait, signal, port.closing)
    return undefined
  }

  /** Restarts a request after a logout while it was prepared. */
  #restart(run: Run): undefined {
    run.restarts += 1
    if (run.restarts <= maxRestarts) return undefined
    throw new CredentialError(
      'acquire_failed',
      `${this.#channel.port.provider}: every credential was logged out before the request could be sent.`,
      { ...whereOf(this.#channel), retryable: true },
    )
  }

  /**
   * Sends a request without a credential when the provider needs the server's challenge (MCP 2026-07-28,
   * Authorization Server Discovery); `undefined`: the server requires a credential.
   */
  async #sendWithoutCredential({ call, signal }: Run): Promise<Response | undefined> {
    const { port, send } = this.#channel
    if (await abortable(port.restored(signal), signal, port.closing)) return undefined
    if (port.closing.aborted) throw port.closing.reason
    const { url, method, headers, init } = call
    const redirect = init.redirect === 'error' ? 'error' : 'manual'
    const response = await send(url, { ...init, method, headers, redirect })
    const { status, type } = response
    const isRedirect = (status >= 300 && status < 400) || type === 'opaqueredirect'
    const wantsCredential =
      status === 401 ||
      status === 403 ||
      (isRedirect && init.redirect !== 'manual') ||
      isRefused(this.#channel, response)
    if (!wantsCredential) return response
    port.challenged(parseChallenges(response.headers.get('WWW-Authenticate')))
    drain(response)
    return undefined
  }

  /** Reports the server's decision about the credential to the manager. */
  #judge(
    { call }: Run,
    exchange: Exchange,
    credential: Credential,
    offset: number,
    sentAt: number,
  ): Verdict {
    const { port, now } = this.#channel
    const { status, headers } = exchange.response
    const refused = exchange.refused || (status === 403 && this.#policy.statusCodes.has(403))
    if (!refused) port.accepted(credential)
    if (!refused && status !== 403) return noVerdict
    const challenges = withoutEchoes(
      parseChallenges(headers.get('WWW-Authenticate')),
      credentialOf(exchange.request, call),
    )
    const reading = {
      date: headers.get('Date'),
      age: headers.get('Age'),
      sentAt,
      receivedAt: now(),
    }
    const corrected = port.observeClock(reading, offset)
    const renewable = refused && port.rejected(credential, { challenges, status })
    return { refused, worthwhile: renewable || (refused && corrected), challenges }
  }

  /** Requests the scopes that a 403 names (RFC 6750 section 3.1; RFC 9449 for DPoP). */
  async #stepUp(
    { challenges }: Verdict,
    credential: Credential,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const challenge = challenges.find(
      ({ scheme, parameters }) =>
        (scheme === 'bearer' || scheme === 'dpop') &&
        parameters.get('error') === 'insufficient_scope',
    )
    const scope = challenge?.parameters.get('scope')
    if (scope === undefined) return false
    const { port, tenant } = this.#channel
    const stepUp = (waiting: AbortSignal | undefined) =>
      port.stepUp(credential, scope, { challenges, signal: waiting })
    return (await withLoginTimeout(port, signal, stepUp, tenant)) !== undefined
  }

  #credential(signal: AbortSignal | undefined): Promise<Credential> {
    const { port, tenant } = this.#channel
    return withLoginTimeout(port, signal, (waiting) => port.credential(waiting), tenant)
  }

  /** Milliseconds until the request is sent again; `undefined`: it is not. */
  #retryIn(
    { status, headers }: Response,
    retries: number,
    { refused, worthwhile }: Verdict,
  ): number | undefined {
    const policy = this.#policy
    if (retries >= policy.maxRetries) return undefined
    if (!refused && !policy.statusCodes.has(status)) return undefined
    if (refused && !worthwhile && !policy.explicit) return undefined
    const retryAfter = parseRetryAfter(headers.get('Retry-After'), this.#channel.now())
    return retryDelay(policy, retries + 1, worthwhile, retryAfter)
  }
}
