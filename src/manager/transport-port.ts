/**
 * The interface of a token manager for the transport layer, which its users do not see.
 *
 * @module
 */
import type { Challenge, Credential, ResponseHead } from '../credential.ts'
import type { CredentialEventDetails } from '../events.ts'
import type { ClockReading } from '../server-date.ts'

/** A server's refusal of a credential. */
export interface Rejection {
  /** The parsed `WWW-Authenticate` challenges. Default: none. */
  readonly challenges?: readonly Challenge[]
  /** The HTTP status. Default 401. */
  readonly status?: number
}

/** A token manager, as the transport layer sees it. */
export interface TransportPort {
  /** The MCP server that the credential is for, without query and fragment. */
  readonly resource: URL
  /** The provider's name. */
  readonly provider: string
  /** The latest credential, even after the server has refused it. */
  readonly held: Credential | undefined
  /** How many different credentials the provider can offer, one after another; at least 1. */
  readonly alternatives: number
  /** How many times one request may be sent again because its credential returned `resend`, from 1 to 5. */
  readonly maxResends: number
  /** Whether a login may require user interaction, which can take longer than a request may. */
  readonly interactive: boolean
  /**
   * Counts logouts. A credential of an earlier session must not be sent: read this before requesting the
   * credential, and compare it before sending.
   */
  readonly session: number
  /** Aborts when the session ends: at a logout, and when the manager is closed. */
  readonly ending: AbortSignal
  /** The server's time less this machine's, in milliseconds; 0 while they are about the same. */
  readonly clockOffset: number
  /** Whether the next request should be sent without a credential, to receive the server's challenge. */
  readonly wantsChallenge: boolean
  /** Settles when the running acquisition has ended; `undefined`: there is none. */
  readonly acquiring: Promise<void> | undefined
  /** Whether a login has not been written to the store yet, so that only this manager has it. */
  readonly unsaved: boolean
  /** Aborts when the manager is closed, with the error that callers receive. */
  readonly closing: AbortSignal

  /** The current credential while it is fresh, without waiting; otherwise `undefined`. */
  current(): Credential | undefined
  /** Returns a credential, as {@link TokenManager.credential} does. */
  credential(signal: AbortSignal | undefined): Promise<Credential>
  /** Whether the store had a credential; it is read once, before the first request. */
  restored(signal: AbortSignal | undefined): Promise<boolean>
  /** Stores the challenges of the server's response to a request without a credential. */
  challenged(challenges: readonly Challenge[]): void
  /** Whether the provider treats this response as a refusal of its credential. */
  refused(response: ResponseHead): boolean
  /** Reports that the server accepted a credential, which ends a series of rejections. */
  accepted(credential: Credential): void
  /**
   * Reports that the server refused a credential. Only a refusal of the current credential counts; the
   * refusal of an older one means that a renewal has already happened. When a server refuses every
   * credential, renewals become less and less frequent.
   *
   * @returns Whether the request should be sent again: there is a newer credential, or one may now be
   * acquired.
   */
  rejected(credential: Credential, rejection: Rejection): boolean
  /**
   * Requests further scopes, after a 403 with `insufficient_scope`.
   *
   * @param credential - The one that did not suffice.
   * @param scope - The scopes that the server named, separated by spaces.
   * @returns A credential for the retry; `undefined` when none can be acquired.
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
   * Updates the server's clock from a response that refused a credential.
   *
   * @param used - The offset that the request was made with, in milliseconds.
   * @returns Whether the request was made with a wrong time, so that it should be sent again.
   */
  observeClock(reading: ClockReading, used: number): boolean
  /** Lets the running acquisition continue without callers. */
  detachAcquisition(): void
  /** Stops background renewals until {@link TransportPort.resumeRenewals}, even with `keepFresh`. */
  pauseRenewals(): void
  /** Ends {@link TransportPort.pauseRenewals}. */
  resumeRenewals(): void
  /** Retries the write of a login that failed. */
  flush(): Promise<void>
  /** Reports an event on behalf of the layer that sends the requests. */
  emit(details: CredentialEventDetails): void
}
