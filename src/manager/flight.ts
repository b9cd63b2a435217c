/**
 * One result, many waiters, each of which may leave on its own.
 *
 * @module
 */
import { onAbort } from '../waiting.ts'

/** A result that several callers wait for. */
export class Flight<T> {
  /** Settles with the result. A rejection that nobody awaits is never reported as unhandled. */
  readonly result: Promise<T>
  readonly #onDeserted: (reason: unknown) => void
  #resolve: (value: T) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #waiters = 0
  #detached: boolean

  /**
   * @param detached - It goes on although nobody waits.
   * @param onDeserted - Called with the signal's reason when the last waiter has left.
   */
  constructor(detached: boolean, onDeserted: (reason: unknown) => void) {
    this.#detached = detached
    this.#onDeserted = onDeserted
    this.result = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.result.catch(() => {})
  }

  resolve(value: T): void {
    this.#resolve(value)
  }

  reject(reason: unknown): void {
    this.#reject(reason)
  }

  /** Waits for the result; an abort rejects this waiter alone, with the signal's reason. */
  wait(signal: AbortSignal | undefined): Promise<T> {
    if (signal === undefined) {
      this.#detached = true
      return this.result
    }
    if (signal.aborted) return Promise.reject(signal.reason)
    this.#waiters += 1
    return new Promise<T>((resolve, reject) => {
      const unsubscribe = onAbort(signal, () => {
        this.#waiters -= 1
        reject(signal.reason)
        if (this.#waiters === 0 && !this.#detached) this.#onDeserted(signal.reason)
      })
      this.result.then(
        (value) => {
          unsubscribe()
          resolve(value)
        },
        (error: unknown) => {
          unsubscribe()
          reject(error)
        },
      )
    })
  }
}
