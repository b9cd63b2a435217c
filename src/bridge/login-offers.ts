/**
 * What a client is told when its user has to log in.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { LoginRequiredError } from '../errors.ts'
import { abortable, within } from '../waiting.ts'
import type { Failure } from './failure.ts'
import { notificationText, showsUrls } from './message.ts'

/**
 * What {@link OnLoginRequired} is asked.
 *
 * @group Bridges
 */
export interface LoginRequest {
  /** Why a login is required. */
  readonly error: LoginRequiredError
  /**
   * The client can show a URL to its user (MCP 2025-11-25, Elicitation, URL mode), so no browser needs to be
   * opened.
   */
  readonly clientShowsUrl: boolean
}

/**
 * A login that has begun.
 *
 * @group Bridges
 */
export interface LoginOffer {
  /** Where the user logs in. */
  readonly url?: string | URL
  /** What the user is told: one sentence, without a secret. */
  readonly message?: string
  /**
   * Settles when the login is over. When it resolves, the provider is asked for its credential again; without it, a
   * later login is found only in the option `store`.
   */
  readonly completed?: Promise<unknown>
}

/**
 * Begins a login, and says where; `undefined`: there is none. It is called once until that login is over.
 *
 * @group Bridges
 */
export type OnLoginRequired = (
  request: LoginRequest,
) => LoginOffer | undefined | Promise<LoginOffer | undefined>

/** MCP 2025-11-25, Elicitation, URL Elicitation Required Error. */
const urlElicitationRequired = -32_042

/** Clients give a request up after a minute. */
const loginMs = 45_000

/**
 * How a client is told of a login: by the URL in the text of the error, by an elicitation, or by a question for input;
 * `open login`: by the text, and no login is begun for it.
 */
export type LoginWay = 'text' | 'elicitation' | 'input' | 'open login'

/** What a request is answered with that needs a login. */
export type LoginAnswer =
  | { readonly failure: Failure }
  | { readonly input: { readonly url: string; readonly message: string } }

interface OpenOffer {
  readonly id: string
  readonly offer: LoginOffer
  /** The client was given the URL as an elicitation. */
  wasElicited: boolean
}

/** Offers the login that is under way to every request that fails for want of it. */
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

  /** The client has said what it can do. */
  announced(capabilities: unknown): void {
    this.#clientShowsUrl = showsUrls(capabilities)
  }

  /** How a client with a session is told. */
  get way(): LoginWay {
    return this.#clientShowsUrl ? 'elicitation' : 'text'
  }

  /** What a request is answered with. */
  async answer(error: LoginRequiredError, failure: Failure, way: LoginWay): Promise<LoginAnswer> {
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

  /** Waits for the end of the login that is open, if there is one, but no longer than clients wait. */
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
      // When it failed, the client must not wait for it any longer; the next request that needs one begins another.
      offer.completed?.then(over, over)
      return { id: randomUUID(), offer, wasElicited: false }
    } catch {
      return undefined
    }
  }

  /** A credential is there: whoever was asked to log in need not any more. */
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
