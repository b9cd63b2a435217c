/**
 * What the layer that sends requests needs of a token manager, and its users do not see.
 *
 * @module
 */
import type { Challenge, Credential, ResponseHead } from '../credential.ts'
import type { CredentialEventDetails } from '../events.ts'
import type { ClockReading } from '../server-date.ts'

/** What a server said when it refused a credential. */
export interface Rejection {
  /** The parsed `WWW-Authenticate` challenges. Default: none. */
  readonly challenges?: readonly Challenge[]
  /** The HTTP status. Default 401. */
  readonly status?: number
}

/** A token manager, as the layer that sends requests sees it. */
export interface TransportPort {
  /** The MCP server that the credential is for, without query and fragment. */
  readonly resource: URL
  /** The provider's name. */
  readonly provider: string
  /** The credential that was delivered last, also after the server has refused it. */
  readonly held: Credential | undefined
  /** How many different credentials the provider offers one after another, at least 1. */
  readonly alternatives: number
  /** How often one request may be sent again for what its credential learnt, from 1 to 5. */
  readonly maxResends: number
  /** Whether a person may be asked, which takes longer than a request may. */
  readonly interactive: boolean
  /**
   * Counts logouts. A credential that was obtained in an earlier session must not be sent any more:
   * read this before asking for the credential, and compare it before sending.
   */
  readonly session: number
  /** Aborts when the session ends: at a logout, and when the manager is closed. */
  readonly ending: AbortSignal
  /** The server's time less this machine's, in milliseconds; 0 while they are about the same. */
  readonly clockOffset: number
  /** Whether the next request should go without a credential, so that the server says what it wants. */
  readonly wantsChallenge: boolean
  /** Settles when the acquisition that is under way has ended; `undefined`: there is none. */
  readonly acquiring: Promise<void> | undefined
  /** A login could not be written to the store yet, so that only this manager has it. */
  readonly unsaved: boolean
  /** Aborts when the manager is closed, with the error that callers receive. */
  readonly closing: AbortSignal

  /** The current credential while it is fresh, without waiting; otherwise `undefined`. */
  current(): Credential | undefined
  /** Gets a credential, as {@link TokenManager.credential} does. */
  credential(signal: AbortSignal | undefined): Promise<Credential>
  /** Whether the store had a credential; it is read once, before the server is asked. */
  restored(signal: AbortSignal | undefined): Promise<boolean>
  /** Takes note of what the server wants, from its answer to a request without a credential. */
  challenged(challenges: readonly Challenge[]): void
  /** Whether the provider takes this response for a refusal of its credential. */
  refused(response: ResponseHead): boolean
  /** Reports that the server accepted a credential, which ends a series of rejections. */
  accepted(credential: Credential): void
  /**
   * Reports that the server refused a credential. Only a refusal of the current credential counts; that
   * of an older one means that a renewal has already happened. A server that refuses every credential is
   * asked for new ones ever more rarely.
   *
   * @returns Whether sending the request again makes sense: a newer credential is there, or one may now
   * be acquired.
   */
  rejected(credential: Credential, rejection: Rejection): boolean
  /**
   * Asks for further scopes, after a 403 with `insufficient_scope`.
   *
   * @param credential - The one that did not suffice.
   * @param scope - The scopes that the server named, separated by spaces.
   * @returns A credential to send the request with again; `undefined` when there is none to be had.
   * @throws `CredentialError` when the provider fails; the current credential stays in use.
   * @see RFC 6750, section 3.1
   */
  stepUp(
    credential: Credential,
    scope: string,
    options: {
      readonly challenges: readonly Challenge[]
      readonly signal: AbortSignal | undefined
    },
  ): Promise<Credential | undefined>
  /**
   * Learns the server's clock from a response that refused a credential.
   *
   * @param used - The offset that the request was made with, in milliseconds.
   * @returns Whether the request was made with a wrong time, so that sending it again makes sense.
   */
  observeClock(reading: ClockReading, used: number): boolean
  /** Lets the acquisition that runs go on although its callers leave. */
  detachAcquisition(): void
  /** Renews nothing unasked until {@link TransportPort.wake}, whatever `keepFresh` says. */
  rest(): void
  /** Ends {@link TransportPort.rest}. */
  wake(): void
  /** Tries again to write a login that could not be written. */
  flush(): Promise<void>
  /** Reports an event on behalf of the layer that sends the requests. */
  emit(details: CredentialEventDetails): void
}
