/**
 * The only place where acquisitions start: one at a time, so that no grant is redeemed twice.
 *
 * @module
 */
import { scopeCovers } from '../scope.ts'
import type { Acquisition, AcquisitionRequest } from './acquisition.ts'

/** Holds the acquisition that runs. */
export class Lane {
  #running: Acquisition | undefined
  /** What a logout did not wait for any longer. */
  readonly #detached = new Set<Acquisition>()

  /** The acquisition that runs, or is overdue. One that was lost has made room. */
  get running(): Acquisition | undefined {
    if (this.#running?.lost === true) {
      this.#running.lose()
      this.#running = undefined
    }
    return this.#running
  }

  /** Settles when what runs, detached or not, has ended; `undefined`: nothing runs. */
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

  /** Makes room for the next one, while this one goes on. */
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

  /** Makes room for the next one. */
  release(acquisition: Acquisition): void {
    if (this.#running === acquisition) this.#running = undefined
  }
}

/**
 * Whether the result of an acquisition that runs is what a caller wants. If not, the caller waits for
 * its end and then looks again:
 *
 * | runs | a caller that needs a credential | one that wants a new one | one that needs more scopes |
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
