/**
 * One acquisition, from its start to its outcome.
 *
 * @module
 */
import type { AcquireReason, Challenge, Credential } from '../credential.ts'
import { timeLimit } from '../waiting.ts'
import { Flight } from './flight.ts'
import { keepAlive } from './keep-alive.ts'
import type { Obtained } from './obtained.ts'

/** The purpose of an acquisition. */
export interface AcquisitionRequest {
  readonly reason: AcquireReason
  /** Whether it has no waiters, and must not ask the user. */
  readonly background: boolean
  readonly scope: string | undefined
  readonly challenges: readonly Challenge[]
  /** Whether to read the store only, for what another process may have written. */
  readonly storeOnly?: true
  /** Whether it belongs to `login()`, which replaces a record that cannot be used. */
  readonly isLogin?: boolean
}

/** How an acquisition ended. */
export type Outcome =
  | { readonly obtained: Obtained }
  | { readonly error: unknown; readonly timedOut?: true }

/** The callbacks of an acquisition. */
export interface AcquisitionHost {
  /** Reads the store and calls the provider. */
  obtain(acquisition: Acquisition): Promise<Obtained>
  /** The next acquisition may start. */
  release(acquisition: Acquisition): void
  /** Applies the outcome. The waiters receive what it returns or throws. */
  settle(acquisition: Acquisition, outcome: Outcome): Credential
  /** Handles a credential that arrived after the acquisition was abandoned. */
  discard(acquisition: Acquisition, obtained: Obtained): void
  /** The error of an acquisition that took too long. */
  timeoutError(acquisition: Acquisition): Error
}

/**
 * Its phases:
 *
 * | phase | entered when | what may follow |
 * |---|---|---|
 * | `running` | it starts | `ended`, `overdue` |
 * | `overdue` | the time limit passes after a single-use grant was sent: the waiters receive an error, and
 * the response is awaited for the same time again | `ended` |
 * | `ended` | it has an outcome, or it was cancelled or abandoned | |
 *
 * An acquisition that has sent a single-use grant is never cancelled: its result would be lost. After a
 * logout or a long time it can be abandoned; its result is then discarded.
 */
export class Acquisition {
  readonly request: AcquisitionRequest
  /** The epoch in which it started. */
  readonly epoch: number
  /** The generation of the held credential when it started. */
  readonly generation: number
  /** The credential that it replaces. */
  readonly previous: Credential | undefined
  /** When it started, in milliseconds since the epoch. */
  readonly startedAt: number
  /** The result for its waiters. */
  readonly flight: Flight<Credential>
  /** Settles when the next acquisition may start. */
  readonly ended: Promise<void>
  /** Settles when the store and the provider have finished, or it was abandoned. */
  readonly completed: Promise<void>
  readonly #controller = new AbortController()
  readonly #unwanted = new AbortController()
  readonly #host: AcquisitionHost
  readonly #limitMs: number
  #phase: 'running' | 'overdue' | 'ended' = 'running'
  #committed = false
  #asked = false
  #answered = false
  #stopLimit: () => void = () => {}
  #end: () => void = () => {}
  #complete: () => void = () => {}

  constructor(
    request: AcquisitionRequest,
    start: {
      readonly epoch: number
      readonly generation: number
      readonly previous: Credential | undefined
      readonly startedAt: number
      readonly limitMs: number
    },
    host: AcquisitionHost,
  ) {
    this.request = request
    this.epoch = start.epoch
    this.generation = start.generation
    this.previous = start.previous
    this.startedAt = start.startedAt
    this.#host = host
    this.#limitMs = start.limitMs
    const desert = (reason: unknown) => this.cancel(reason)
    this.flight = new Flight(request.background, desert, start.limitMs)
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.completed = new Promise((resolve) => {
      this.#complete = resolve
    })
    keepAlive(this.completed)
    void this.#run()
  }

  /** Aborts when the acquisition is cancelled or aborted. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Aborts when the result is no longer wanted; a response to a sent grant may still arrive. */
  get unwanted(): AbortSignal {
    return this.#unwanted.signal
  }

  /** Whether a single-use grant has been sent. */
  get committed(): boolean {
    return this.#committed
  }

  /** Whether the provider was called, and not only the store. */
  get asked(): boolean {
    return this.#asked
  }

  /** Whether the provider has returned, so that the user can no longer affect the result. */
  get answered(): boolean {
    return this.#answered
  }

  /** Whether it took too long, but its response is still awaited. */
  get overdue(): boolean {
    return this.#phase === 'overdue'
  }

  /**
   * Whether the request that started it has ended, and its task with it. Where tasks do not end with
   * requests, this is always `false`.
   */
  get lost(): boolean {
    const { lost, dueAt } = this.flight
    return lost || (this.#phase !== 'running' && performance.now() >= dueAt + this.#limitMs)
  }

  /**
   * Announces that the provider is about to be called.
   *
   * @throws The reason of the signal when the acquisition was cancelled.
   */
  ask(): void {
    this.#controller.signal.throwIfAborted()
    this.#asked = true
  }

  /** Announces that the provider has returned. */
  answer(): void {
    this.#answered = true
  }

  /**
   * Announces that a single-use grant is about to be sent.
   *
   * @throws The reason of the signal when the acquisition was cancelled, or an error when it has ended; the
   * grant must not be sent.
   */
  commit(): void {
    this.#controller.signal.throwIfAborted()
    if (this.#phase === 'ended') throw new Error('The acquisition has ended.')
    this.#committed = true
  }

  /** Ends the acquisition, unless a single-use grant was sent. */
  cancel(reason: unknown): void {
    if (!this.#committed) this.abort(reason)
  }

  /** Ends the acquisition in any case. */
  abort(reason: unknown): void {
    this.abandon(reason)
    abortForeign(this.#controller, reason)
  }

  /** Abandons the result, and releases the lock of the record. A single-use grant that was sent is not aborted. */
  abandon(reason: unknown): void {
    this.#stopLimit()
    if (this.#finish()) this.flight.reject(reason)
    abortForeign(this.#unwanted, reason)
    this.#complete()
  }

  /**
   * Abandons a lost acquisition without settling its promises: that could run another request's code in this
   * one.
   */
  lose(): void {
    this.#phase = 'ended'
  }

  /**
   * Lets the next acquisition start, and discards this one's result. The lock of the record is held until the
   * result arrives, or until the time limit has passed once more.
   */
  detach(reason: unknown): void {
    if (!this.#finish()) return
    this.flight.reject(reason)
    this.#stopLimit = timeLimit(this.#limitMs, () => this.abandon(reason))
  }

  async #run(): Promise<void> {
    const keepsProcess = !this.request.background
    this.#stopLimit = timeLimit(this.#limitMs, () => this.#expire(), { keepsProcess })
    try {
      // The provider runs in a later microtask, so that the acquisition is registered before it settles.
      await Promise.resolve()
      this.#controller.signal.throwIfAborted()
      const obtained = await this.#host.obtain(this)
      if (this.#finish()) this.#settle({ obtained })
      else this.#host.discard(this, obtained)
    } catch (error) {
      if (this.#finish()) this.#settle({ error })
    } finally {
      this.#stopLimit()
      this.#complete()
    }
  }

  #expire(): void {
    const error = this.#host.timeoutError(this)
    if (!this.#committed) {
      if (this.#finish()) {
        this.#unwanted.abort(error)
        this.#controller.abort(error)
        this.#settle({ error, timedOut: true })
      }
    } else if (this.#phase === 'running') {
      this.#phase = 'overdue'
      const keepsProcess = false
      this.#stopLimit = timeLimit(this.#limitMs, () => this.abandon(error), { keepsProcess })
      this.#settle({ error, timedOut: true })
    }
  }

  /** Enters the last phase; `false` when it had already ended. */
  #finish(): boolean {
    if (this.#phase === 'ended') return false
    this.#phase = 'ended'
    this.#stopLimit()
    this.#end()
    this.#host.release(this)
    return true
  }

  #settle(outcome: Outcome): void {
    try {
      this.flight.resolve(this.#host.settle(this, outcome))
    } catch (error) {
      this.flight.reject(error)
    }
  }
}

/** Aborts work that another request may have started, which a Worker's runtime can forbid. */
export function abortForeign(controller: AbortController, reason: unknown): void {
  try {
    controller.abort(reason)
  } catch {
    // The work ends with its own request.
  }
}
