/**
 * Tells clients that their user must log in.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { LoginRequiredError } from '../errors.ts'
import { abortable, within } from '../waiting.ts'
import type { Failure } from './failure.ts'
import { notificationText, showsUrls } from './message.ts'

/**
 * The argument of {@link OnLoginRequired}.
 *
 * @group Bridges
 */
export interface LoginRequest {
  /** Why a login is required. */
  readonly error: LoginRequiredError
  /**
   * Whether the client can show a URL to its user (MCP 2025-11-25, Elicitation, URL mode), so that no
   * browser must be opened.
   */
  readonly clientShowsUrl: boolean
}

/**
 * A login that was started.
 *
 * @group Bridges
 */
export interface LoginOffer {
  /** The URL at which the user logs in. */
  readonly url?: string | URL
  /** The message for the user: one sentence, without secrets. */
  readonly message?: string
  /**
   * Settles when the login has ended. When it resolves, the credential is acquired again; without it, a
   * later login is found only in the option `store`.
   */
  readonly completed?: Promise<unknown>
}

/**
 * Starts a login, and returns where; `undefined`: no login can be started. It is not called again until
 * that login has ended.
 *
 * @group Bridges
 */
export type OnLoginRequired = (
  request: LoginRequest,
) => LoginOffer | undefined | Promise<LoginOffer | undefined>

/** MCP 2025-11-25, Elicitation, URL Elicitation Required Error. */
const urlElicitationRequired = -32_042

/** How long to wait for a login in milliseconds: clients time out after a minute. */
const loginMs = 45_000

/**
 * How a client receives the URL of a login: in the text of the error, in an elicitation, or in an input
 * request. `open login`: in the text, and only if a login is already pending.
 */
export type LoginDelivery = 'text' | 'elicitation' | 'input' | 'open login'

/** The response to a request that requires a login. */
export type LoginAnswer =
  | { readonly failure: Failure }
  | { readonly input: { readonly url: string; readonly message: string } }

interface OpenOffer {
  readonly id: string
  readonly offer: LoginOffer
  /** Whether the client has received the URL as an elicitation. */
  wasElicited: boolean
}

/** Offers the pending login to every request that requires it. */
export class LoginOffers {
  readonly #onLoginRequired: OnLoginRequired | undefined
  readonly #notify: (text: string) => Promise<void>
  #clientShowsUrl = false
  #open: Promise<OpenOffer | undefined> | undefined

  constructor(
    onLoginRequired: OnLoginRequired | undefined,
    notify: (text: string) => Promise<void>,
  ) {
    this.#onLoginRequired = onLoginRequired
    this.#notify = notify
  }

  /** Records the capabilities of the client. */
  announced(capabilities: unknown): void {
    this.#clientShowsUrl = showsUrls(capabilities)
  }

  /** How a client with a session receives the URL. */
  get way(): LoginDelivery {
    return this.#clientShowsUrl ? 'elicitation' : 'text'
  }

  /** Creates the response to a request. */
  async answer(
    error: LoginRequiredError,
    failure: Failure,
    way: LoginDelivery,
  ): Promise<LoginAnswer> {
    if (way !== 'open login') this.#open ??= this.#begin(error, way !== 'text')
    const open = await this.#open
    if (open === undefined) {
      this.#open = undefined
      return { failure }
    }
    const { id, offer } = open
    const url = offer.url === undefined ? undefined : String(offer.url)
    const text = offer.message ?? failure.message
    if (url === undefined) return { failure: { ...failure, message: text } }
    if (way === 'input') return { input: { url, message: text } }
    if (way !== 'elicitation') {
      const data = { ...failure.data, url }
      return { failure: { ...failure, message: `${text} Open ${url}`, data } }
    }
    open.wasElicited = true
    const elicitation = { mode: 'url', elicitationId: id, url, message: text }
    const data = { ...failure.data, elicitations: [elicitation] }
    return { failure: { code: urlElicitationRequired, message: text, data } }
  }

  /** Waits for the end of the pending login, but no longer than clients wait. */
  async over(signal: AbortSignal): Promise<void> {
    const open = await this.#open
    const { completed } = open?.offer ?? {}
    if (completed === undefined) return
    await abortable(within(loginMs, completed, { keepsProcess: false }), signal)
  }

  async #begin(error: LoginRequiredError, clientShowsUrl: boolean): Promise<OpenOffer | undefined> {
    try {
      const offer = await this.#onLoginRequired?.({ error, clientShowsUrl })
      if (offer === undefined) return undefined
      const over = async () => {
        if ((await this.#open)?.offer === offer) this.succeeded()
      }
      // After a failure the client must not wait any longer; the next request that requires a login starts
      // another.
      offer.completed?.then(over, over)
      return { id: randomUUID(), offer, wasElicited: false }
    } catch {
      return undefined
    }
  }

  /** Ends the pending login, because a credential is available. */
  succeeded(): void {
    const open = this.#open
    if (open === undefined) return
    this.#open = undefined
    open
      .then(async (offered) => {
        if (offered?.wasElicited !== true) return
        const params = { elicitationId: offered.id }
        await this.#notify(notificationText('notifications/elicitation/complete', params))
      })
      .catch(() => {})
  }
}
