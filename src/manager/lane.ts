/**
 * Runs one acquisition at a time, so that no grant is redeemed twice.
 *
 * @module
 */
import { scopeCovers } from '../scope.ts'
import type { Acquisition, AcquisitionRequest } from './acquisition.ts'

/** Holds the running acquisition. */
export class Lane {
  #running: Acquisition | undefined
  /** Acquisitions that a logout has stopped waiting for. */
  readonly #detached = new Set<Acquisition>()

  /** The running or overdue acquisition. A lost one does not count. */
  get running(): Acquisition | undefined {
    if (this.#running?.lost === true) {
      this.#running.lose()
      this.#running = undefined
    }
    return this.#running
  }

  /** Settles when all acquisitions, detached or not, have ended; `undefined`: none is running. */
  get busy(): Promise<void> | undefined {
    const detached = [...this.#detached].find((each) => !each.lost)
    return this.running?.ended ?? detached?.completed
  }

  /** Starts an acquisition. There must be none. */
  start(make: () => Acquisition): Acquisition {
    if (this.running !== undefined) throw new Error('an acquisition is already running')
    const acquisition = make()
    this.#running = acquisition
    return acquisition
  }

  /** Lets the next acquisition start while this one continues. */
  detach(reason: unknown): void {
    const { running } = this
    if (running === undefined) return
    running.detach(reason)
    this.#detached.add(running)
    const completed = () => this.#detached.delete(running)
    running.completed.then(completed, completed)
  }

  /** Ends all acquisitions. */
  abort(reason: unknown): void {
    for (const acquisition of [...this.#detached]) acquisition.abort(reason)
    this.#running?.abort(reason)
  }

  /** Lets the next acquisition start. */
  release(acquisition: Acquisition): void {
    if (this.#running === acquisition) this.#running = undefined
  }
}

/**
 * Whether a caller can use the result of the running acquisition. If not, the caller waits for its end and
 * then decides again:
 *
 * | running | a caller that needs a credential | one that needs a new one | one that needs more scopes |
 * |---|---|---|---|
 * | reading the store | waits | waits | waits |
 * | acquisition, renewal | joins | waits | waits |
 * | renewal on request (`forced`) | joins | joins | waits |
 * | step-up | waits | waits | joins if it covers them |
 */
export function serves(running: AcquisitionRequest, wanted: AcquisitionRequest): boolean {
  if (running.storeOnly === true) return false
  if (running.reason === 'insufficient_scope' || wanted.reason === 'insufficient_scope') {
    return running.reason === wanted.reason && scopeCovers(running.scope, wanted.scope ?? '')
  }
  return wanted.reason !== 'forced' || running.reason === 'forced'
}
