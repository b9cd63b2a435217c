/**
 * What a client is told when its user has to log in.
 *
 * @module
 */
import { randomUUID } from 'node:crypto'
import type { LoginRequiredError } from '../errors.ts'
import type { Failure } from './failure.ts'
import { isObject, notificationText } from './message.ts'

/** What {@link OnLoginRequired} is asked. */
export interface LoginRequest {
  /** Why a login is required. */
  readonly error: LoginRequiredError
  /**
   * The client can show a URL to its user (MCP 2025-11-25, Elicitation, URL mode), so no browser needs to be
   * opened.
   */
  readonly clientShowsUrl: boolean
}

/** A login that has begun. */
export interface LoginOffer {
  /** Where the user logs in. */
  readonly url?: string | URL
  /** What the user is told: one sentence, without a secret. */
  readonly message?: string
  /** Settles when the login is over. */
  readonly completed?: Promise<unknown>
}

/** Begins a login, and says where; `undefined`: there is none. It is called once until that login is over. */
export type OnLoginRequired = (
  request: LoginRequest,
) => LoginOffer | undefined | Promise<LoginOffer | undefined>

/** MCP 2025-11-25, Elicitation, URL Elicitation Required Error. */
const urlElicitationRequired = -32_042

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
    const elicitation = isObject(capabilities) ? capabilities['elicitation'] : undefined
    this.#clientShowsUrl = isObject(elicitation) && isObject(elicitation['url'])
  }

  /** What a request is answered with. */
  async failure(error: LoginRequiredError, failure: Failure): Promise<Failure> {
    this.#open ??= this.#begin(error)
    const open = await this.#open
    if (open === undefined) {
      this.#open = undefined
      return failure
    }
    const { id, offer } = open
    const url = offer.url === undefined ? undefined : String(offer.url)
    const text = offer.message ?? failure.message
    if (url === undefined) return { ...failure, message: text }
    if (!this.#clientShowsUrl) {
      return { ...failure, message: `${text} Open ${url}`, data: { ...failure.data, url } }
    }
    open.wasElicited = true
    const elicitation = { mode: 'url', elicitationId: id, url, message: text }
    const data = { ...failure.data, elicitations: [elicitation] }
    return { code: urlElicitationRequired, message: text, data }
  }

  async #begin(error: LoginRequiredError): Promise<OpenOffer | undefined> {
    const clientShowsUrl = this.#clientShowsUrl
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
