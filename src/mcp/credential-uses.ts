/**
 * What is known about credentials that an SDK sends by itself, reporting refusals only.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import type { Rejection, TransportPort } from '../manager/transport-port.ts'

// A server says within this time that it refuses a credential. Only what it takes longer for is counted as
// accepted by mistake, and only while several requests are under way at once.
const answerTimeMs = 1000

/**
 * Concludes from the next request that the credential of an earlier one was accepted: the SDKs call
 * their provider before each request, and once more when it was refused.
 *
 * The SDK of version 2 repeats a refused request and does not report when it is refused again, so the
 * repetition proves nothing; otherwise a server that refuses every credential would be asked for new ones
 * without end.
 */
export class CredentialUses {
  readonly #port: TransportPort
  readonly #now: () => number
  /** The credential of the last request that was no repetition. */
  #credential: Credential | undefined
  /** Since when requests have been made with it without a refusal, in milliseconds since the epoch. */
  #since: number | undefined
  #repetitions = 0

  constructor(port: TransportPort, now: () => number) {
    this.#port = port
    this.#now = now
  }

  /** A request is about to be made with this credential; `undefined`: with none. */
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

  /** A request was refused. The SDK does not say which, so it was the one that began last. */
  refused(rejection: Rejection): void {
    this.#since = undefined
    if (this.#credential !== undefined) this.#port.rejected(this.#credential, rejection)
    else this.#port.challenged(rejection.challenges ?? [])
  }

  /** The SDK is about to repeat a request that was refused. */
  expectRepetition(): void {
    this.#repetitions += 1
  }
}
