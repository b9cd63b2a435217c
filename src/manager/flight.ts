/**
 * One result, many waiters, each of which may leave on its own.
 *
 * @module
 */
import { onAbort, timeLimit } from '../waiting.ts'
import { endsWithRequest, keepAlive } from './keep-alive.ts'

/** How much longer a result is waited for than the task may take, in milliseconds. */
const marginMs = 250

/** A result that several callers wait for. */
export class Flight<T> {
  /** Settles with the result. A rejection without a waiter is never reported as unhandled. */
  readonly result: Promise<T>
  readonly #onDeserted: (reason: unknown) => void
  /** When a task that can be lost must have ended, on the clock of `performance`; `Infinity`: it cannot. */
  readonly dueAt: number
  #resolve: (value: T) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #waiters = 0
  #detached: boolean
  #settled = false
  #lost = false

  /**
   * @param detached - It continues without waiters.
   * @param onDeserted - Called with the signal's reason when the last waiter has left.
   * @param limitMs - How long the task limits itself to, in milliseconds.
   */
  constructor(detached: boolean, onDeserted: (reason: unknown) => void, limitMs: number) {
    this.#detached = detached
    this.#onDeserted = onDeserted
    this.dueAt = endsWithRequest() ? performance.now() + limitMs + marginMs : Infinity
    this.result = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.result.catch(() => {})
  }

  /**
   * The task ended with the request that had started it, so that there will be no result. Where tasks do
   * not end with requests, no flight is ever lost.
   */
  get lost(): boolean {
    return this.#lost || (!this.#settled && performance.now() >= this.dueAt)
  }

  resolve(value: T): void {
    this.#settled = true
    this.#resolve(value)
  }

  reject(reason: unknown): void {
    this.#settled = true
    this.#reject(reason)
  }

  /**
   * Waits for the result; an abort rejects this waiter alone, with the signal's reason.
   *
   * @param again - Gets another result when this one is lost.
   */
  wait<U = T>(
    signal: AbortSignal | undefined,
    again: () => Promise<T | U> = noResult,
  ): Promise<T | U> {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    if (signal === undefined) this.#detached = true
    else this.#waiters += 1
    return this.#outcome([signal], again, () => {
      this.#waiters -= 1
      if (this.#waiters === 0 && !this.#detached) this.#onDeserted(signal?.reason)
    })
  }

  /** Lets the task go on without waiters. */
  detach(): void {
    this.#detached = true
  }

  /** Waits until there is a result, whatever it is, or it is lost; rejects with the reason of an abort. */
  async over(...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    try {
      await this.#outcome(signals, noResult, () => {})
    } catch {
      for (const signal of signals) signal?.throwIfAborted()
    }
  }

  #outcome<U>(
    signals: readonly (AbortSignal | undefined)[],
    again: () => Promise<T | U>,
    onLeft: () => void,
  ): Promise<T | U> {
    const mayBeLost = this.dueAt !== Infinity
    const listening = signals.filter((signal) => signal !== undefined)
    if (listening.length === 0 && !mayBeLost) return this.result
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = []
      let isWaiting = true
      const end = (how: () => void) => {
        if (!isWaiting) return
        isWaiting = false
        for (const stop of stops.splice(0)) stop()
        how()
      }
      const lose = () => {
        this.#lost = true
        end(() => resolve(again()))
      }
      if (mayBeLost && !this.#settled) {
        stops.push(timeLimit(Math.max(0, this.dueAt - performance.now()), lose))
      }
      for (const signal of listening) {
        const leave = () => {
          end(() => reject(signal.reason))
          onLeft()
        }
        stops.push(onAbort(signal, leave))
      }
      this.result.then(
        (value) => end(() => resolve(value)),
        // A rejection that is not the task's own comes from the runtime.
        (error: unknown) => (this.#settled ? end(() => reject(error)) : lose()),
      )
    })
  }
}

function noResult(): Promise<never> {
  return Promise.reject(new Error('The task ended with the request that had started it.'))
}

/** Starts a task that callers may share. */
export function startFlight<T>(limitMs: number, task: () => Promise<T>): Flight<T> {
  const flight = new Flight<T>(true, () => {}, limitMs)
  task().then(
    (value) => flight.resolve(value),
    (error: unknown) => flight.reject(error),
  )
  keepAlive(flight.result)
  return flight
}
