/**
 * The manager as the transport layer sees it.
 *
 * @module
 */
import type { Challenge, Credential, ResponseHead } from '../credential.ts'
import type { CredentialEventDetails } from '../events.ts'
import { scopeCovers } from '../scope.ts'
import type { ClockReading } from '../server-date.ts'
import { type Flight, startFlight } from './flight.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { ManagerParts } from './parts.ts'
import type { Rejection, TransportPort } from './transport-port.ts'

/** Applies the outcomes of requests to the credential. */
export class TransportSide implements TransportPort {
  readonly resource: URL
  readonly provider: string
  readonly alternatives: number
  readonly maxResends: number
  readonly interactive: boolean
  readonly closing: AbortSignal
  readonly #parts: ManagerParts
  readonly #lifecycle: Lifecycle
  /** Whether the server has sent its challenge. */
  #challenged = false
  #restoring: Flight<boolean> | undefined
  /** The session in which the store was read. */
  #restoredIn = 0

  constructor(parts: ManagerParts, lifecycle: Lifecycle) {
    const { provider, options } = parts
    this.resource = options.resource
    this.provider = provider.name
    this.alternatives = Math.max(1, provider.alternatives ?? 1)
    this.maxResends = provider.maxResends ?? 1
    this.interactive = provider.interactive === true
    this.closing = lifecycle.closing
    this.#parts = parts
    this.#lifecycle = lifecycle
  }

  get held(): Credential | undefined {
    return this.#parts.held.credential
  }

  get session(): number {
    return this.#parts.held.epoch
  }

  get ending(): AbortSignal {
    return this.#lifecycle.ending
  }

  get acquiring(): Promise<void> | undefined {
    return this.#parts.lane.busy
  }

  get unsaved(): boolean {
    return this.#parts.source.unsaved
  }

  get clockOffset(): number {
    return this.#parts.serverClock.offset
  }

  get wantsChallenge(): boolean {
    const { provider, held, lane } = this.#parts
    return (
      provider.discovers === true &&
      !this.#challenged &&
      held.credential === undefined &&
      lane.running === undefined
    )
  }

  current(): Credential | undefined {
    const { held, options } = this.#parts
    return options.now() < held.freshUntil ? held.credential : undefined
  }

  credential(signal: AbortSignal | undefined): Promise<Credential> {
    return this.#lifecycle.credential(signal)
  }

  restored(signal: AbortSignal | undefined): Promise<boolean> {
    const isOutdated = this.#restoredIn !== this.session
    if (this.#restoring === undefined || this.#restoring.lost || isOutdated) {
      this.#restoredIn = this.session
      // It may wait for a running acquisition before it reads the store.
      const limitMs = 2 * this.#parts.options.acquireTimeoutMs
      const restoring = startFlight(limitMs, () => this.#restore())
      this.#restoring = restoring
      restoring.result.catch(() => {
        if (this.#restoring === restoring) this.#restoring = undefined
      })
    }
    return this.#restoring.wait(signal, () => this.restored(signal))
  }

  challenged(challenges: readonly Challenge[]): void {
    this.#challenged = true
    if (this.#parts.held.credential === undefined) this.#lifecycle.challenged(challenges)
  }

  refused(response: ResponseHead): boolean {
    try {
      const answer: unknown = this.#parts.provider.refused?.(response)
      // A promise is not a valid result, and its rejection must be handled.
      if (answer instanceof Promise) answer.catch(() => {})
      return answer === true
    } catch {
      return false
    }
  }

  accepted(credential: Credential): void {
    const { held, refusals } = this.#parts
    if (!refusals.accepted && credential === held.credential && !held.rejected) refusals.accept()
  }

  rejected(credential: Credential, { challenges = [], status = 401 }: Rejection): boolean {
    const { held, refusals, reporter } = this.#parts
    const { generation } = held
    if (held.closed || held.credential === undefined) return false
    if (credential !== held.credential) {
      reporter.emit({ type: 'rejected', generation, status, late: true })
      return true
    }
    if (held.rejected) return true
    const ignoredFor = refusals.reject()
    if (ignoredFor > 0) {
      const retryIn = ignoredFor / 1000
      reporter.emit({ type: 'reject_ignored', generation, status, retryIn })
      return false
    }
    held.reject()
    this.#lifecycle.challenged(challenges)
    reporter.emit({ type: 'rejected', generation, status, late: false })
    return true
  }

  async stepUp(
    credential: Credential,
    scope: string,
    options: {
      readonly challenges: readonly Challenge[]
      readonly signal: AbortSignal | undefined
    },
  ): Promise<Credential | undefined> {
    const { provider, held, lane, scopes } = this.#parts
    const { challenges, signal } = options
    const { epoch } = held
    if (provider.scoped !== true || scope === '') return undefined
    for (;;) {
      signal?.throwIfAborted()
      this.closing.throwIfAborted()
      const { credential: present } = held
      // After a logout the request must start again.
      if (present === undefined || !held.open || epoch !== held.epoch) return undefined
      if (present !== credential && !held.rejected && scopeCovers(held.scope, scope)) return present
      const { running } = lane
      const wanted = scopes.plan(held.scope, scope)
      if (running?.request.reason === 'insufficient_scope') {
        const again = () => this.stepUp(credential, scope, options)
        if (scopeCovers(running.request.scope, scope)) return running.flight.wait(signal, again)
      } else if (running === undefined) {
        if (wanted === undefined) {
          const stored = await this.#lifecycle.storedStepUp(signal)
          return scopeCovers(stored?.scope, scope) ? stored : undefined
        }
        scopes.begin()
        return this.#lifecycle.stepUp(wanted, challenges, signal)
      }
      // A running acquisition may obtain the scopes, and must not run concurrently with another.
      await this.#lifecycle.settled(running, signal)
    }
  }

  observeClock(reading: ClockReading, used: number): boolean {
    return this.#parts.serverClock.observe(reading, used)
  }

  detachAcquisition(): void {
    this.#parts.lane.running?.flight.detach()
  }

  pauseRenewals(): void {
    this.#lifecycle.pauseRenewals()
  }

  resumeRenewals(): void {
    this.#lifecycle.resumeRenewals()
  }

  flush(): Promise<void> {
    return this.#parts.source.flush()
  }

  emit(details: CredentialEventDetails): void {
    this.#parts.reporter.emit(details)
  }

  async #restore(): Promise<boolean> {
    const { held, lane, source } = this.#parts
    if (!source.stores) return false
    await this.#lifecycle.whenOpen(undefined)
    if (lane.running !== undefined) await this.#lifecycle.settled(lane.running, undefined)
    if (held.credential !== undefined) return true
    await this.#lifecycle.readStore('missing').flight.over(undefined)
    return held.credential !== undefined || source.hasRecord()
  }
}
