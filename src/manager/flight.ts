/**
 * One task, many waiters, each of which may leave on its own.
 *
 * @module
 */

/** A running acquisition. */
export class Flight<T> {
  /** Settles with the task. A rejection that nobody awaits is never reported as unhandled. */
  readonly result: Promise<T>
  readonly #controller = new AbortController()
  #waiters = 0
  #detached: boolean
  #settled = false
  #committed = false

  /** @param background - It has no waiters and is not cancelled when the last one leaves. */
  constructor(task: (signal: AbortSignal, commit: () => void) => Promise<T>, background: boolean) {
    this.#detached = background
    this.result = task(this.#controller.signal, () => {
      this.#committed = true
    })
    const settle = () => {
      this.#settled = true
    }
    this.result.then(settle, settle)
  }

  /** Nobody waits, and cancelling it loses nothing. */
  get cancelled(): boolean {
    return this.#controller.signal.aborted
  }

  /** A single-use grant has been sent: from here on the result must be kept. */
  get committed(): boolean {
    return this.#committed
  }

  /** Cancels the task, unless a single-use grant is under way. */
  cancel(reason: unknown): void {
    if (!this.#committed && !this.#settled) this.#controller.abort(reason)
  }

  /** Ends the task in any case, for a time limit. */
  abort(reason: unknown): void {
    this.#controller.abort(reason)
  }

  /** Waits for the result; an abort rejects this waiter alone, with the signal's reason. */
  wait(signal: AbortSignal | undefined): Promise<T> {
    if (signal === undefined) {
      this.#detached = true
      return this.result
    }
    this.#waiters += 1
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        this.#waiters -= 1
        reject(signal.reason)
        if (this.#waiters === 0 && !this.#detached) this.cancel(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      const done = () => signal.removeEventListener('abort', leave)
      this.result.then(
        (value) => {
          done()
          resolve(value)
        },
        (error: unknown) => {
          done()
          reject(error)
        },
      )
    })
  }
}
