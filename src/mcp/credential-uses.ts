/**
 * Tracks credentials that an SDK sends itself, of which it reports only refusals.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import type { Rejection, TransportPort } from '../manager/transport-port.ts'

// A server is expected to refuse a credential within this time, in milliseconds. A later refusal is counted as
// accepted by mistake, but only while several requests are pending.
const answerTimeMs = 1000

/**
 * Infers from the next request that the credential of an earlier one was accepted: the SDKs call their
 * provider before each request, and again after a refusal.
 *
 * SDK 2.x retries a refused request and does not report a second refusal, so the retry proves nothing.
 * Otherwise a server that refuses every credential would cause endless renewals.
 */
export class CredentialUses {
  readonly #port: TransportPort
  readonly #now: () => number
  /** The credential of the last request that was not a retry. */
  #credential: Credential | undefined
  /** The time of the first request with it since the last refusal, in milliseconds since the epoch. */
  #since: number | undefined
  #repetitions = 0

  constructor(port: TransportPort, now: () => number) {
    this.#port = port
    this.#now = now
  }

  /** Records that a request is about to be sent with this credential; `undefined`: without one. */
  begin(credential: Credential | undefined): void {
    if (this.#repetitions > 0) {
      this.#repetitions -= 1
      return
    }
    const now = this.#now()
    const since = this.#since
    const isFirst = credential !== this.#credential || since === undefined || now < since
    this.#credential = credential
    if (isFirst) this.#since = now
    else if (credential !== undefined && now - since >= answerTimeMs)
      this.#port.accepted(credential)
  }

  /** Records a refusal. The SDK does not report of which request, so the latest is assumed. */
  refused(rejection: Rejection): void {
    this.#since = undefined
    if (this.#credential !== undefined) this.#port.rejected(this.#credential, rejection)
    else this.#port.challenged(rejection.challenges ?? [])
  }

  /** Records that the SDK is about to retry a refused request. */
  expectRetry(): void {
    this.#repetitions += 1
  }
}
