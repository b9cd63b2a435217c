/**
 * One result with many waiters, each of which may abort independently.
 *
 * @module
 */
import { onAbort, timeLimit } from '../waiting.ts'
import { endsWithRequest, keepAlive } from './keep-alive.ts'

/** How much longer than the task's time limit a result is awaited, in milliseconds. */
const marginMs = 250

/** A result that several callers wait for. */
export class Flight<T> {
  /** Settles with the result. A rejection without a waiter is never reported as unhandled. */
  readonly result: Promise<T>
  readonly #onAbandoned: (reason: unknown) => void
  /** When a task that can be lost must have ended, on the clock of `performance`; `Infinity`: it cannot be lost. */
  readonly dueAt: number
  #resolve: (value: T) => void = () => {}
  #reject: (reason: unknown) => void = () => {}
  #waiters = 0
  #detached: boolean
  #settled = false
  #lost = false

  /**
   * @param detached - Whether it continues without waiters.
   * @param onAbandoned - Called with the signal's reason when the last waiter has left.
   * @param limitMs - The task's own time limit, in milliseconds.
   */
  constructor(detached: boolean, onAbandoned: (reason: unknown) => void, limitMs: number) {
    this.#detached = detached
    this.#onAbandoned = onAbandoned
    this.dueAt = endsWithRequest() ? performance.now() + limitMs + marginMs : Infinity
    this.result = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.result.catch(() => {})
  }

  /**
   * Whether the task ended with the request that had started it, so that there will be no result. Where tasks
   * do not end with requests, this is always `false`.
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
   * Waits for the result; an abort rejects only this waiter, with the signal's reason.
   *
   * @param again - Starts another task when this one is lost.
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
      if (this.#waiters === 0 && !this.#detached) this.#onAbandoned(signal?.reason)
    })
  }

  /** Lets the task continue without waiters. */
  detach(): void {
    this.#detached = true
  }

  /** Waits until the task has settled or is lost; rejects with the reason of an abort. */
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
        // Any other rejection comes from the runtime.
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
