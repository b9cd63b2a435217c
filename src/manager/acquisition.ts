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

/** What an acquisition is for. */
export interface AcquisitionRequest {
  readonly reason: AcquireReason
  /** It has no waiters, and must not ask the user. */
  readonly background: boolean
  readonly scope: string | undefined
  readonly challenges: readonly Challenge[]
  /** Only what another process may have stored is wanted. */
  readonly storeOnly?: true
  /** A user is there and wants to log in, which replaces a record that cannot be used. */
  readonly isLogin?: boolean
}

/** How an acquisition ended. */
export type Outcome =
  | { readonly obtained: Obtained }
  | { readonly error: unknown; readonly timedOut?: true }

/** What an acquisition needs of its surroundings. */
export interface AcquisitionHost {
  /** Asks the store and the provider. */
  obtain(acquisition: Acquisition): Promise<Obtained>
  /** The next acquisition may start. */
  release(acquisition: Acquisition): void
  /** Applies the outcome. What it returns or throws is what the waiters receive. */
  settle(acquisition: Acquisition, outcome: Outcome): Credential
  /** A credential came after the acquisition was given up. */
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
 * | `overdue` | the time limit passes after a single-use grant was sent: the waiters receive an error, the answer is still wanted for as long again | `ended` |
 * | `ended` | the outcome is there, or it was cancelled or abandoned | |
 *
 * An acquisition that has sent a single-use grant is never cancelled: its result would be lost. It can be
 * abandoned, after a logout or a long time; its result then comes as one that is discarded.
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
  /** What its waiters wait for. */
  readonly flight: Flight<Credential>
  /** Settles when it occupies nothing any more. */
  readonly ended: Promise<void>
  /** Settles when the store and the provider are done with it, or it was given up. */
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

  /** Aborts when the result is no longer wanted; what was sent may still be answered. */
  get unwanted(): AbortSignal {
    return this.#unwanted.signal
  }

  /** A single-use grant has been sent. */
  get committed(): boolean {
    return this.#committed
  }

  /** The provider was asked, and not the store alone. */
  get asked(): boolean {
    return this.#asked
  }

  /** The provider has answered, so that what a person does from now on makes no difference. */
  get answered(): boolean {
    return this.#answered
  }

  /** It took too long, but its answer is still wanted. */
  get overdue(): boolean {
    return this.#phase === 'overdue'
  }

  /**
   * The request that it belonged to has ended, and its code with it. Where tasks do not end with requests, it
   * is never lost.
   */
  get lost(): boolean {
    const { lost, dueAt } = this.flight
    return lost || (this.#phase !== 'running' && performance.now() >= dueAt + this.#limitMs)
  }

  /**
   * Announces that the provider is about to be asked.
   *
   * @throws The reason of the signal when the acquisition was cancelled.
   */
  ask(): void {
    this.#controller.signal.throwIfAborted()
    this.#asked = true
  }

  /** Announces that the provider has answered. */
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

  /** Ends the acquisition, unless a single-use grant is under way. */
  cancel(reason: unknown): void {
    if (!this.#committed) this.abort(reason)
  }

  /** Ends the acquisition in any case. */
  abort(reason: unknown): void {
    this.abandon(reason)
    abortForeign(this.#controller, reason)
  }

  /** Gives the result up, and the lock of the record. A single-use grant that was sent is not aborted. */
  abandon(reason: unknown): void {
    this.#stopLimit()
    if (this.#finish()) this.flight.reject(reason)
    abortForeign(this.#unwanted, reason)
    this.#complete()
  }

  /**
   * Gives a lost acquisition up. Its promises stay as they are: settling those of another request could run
   * that request's code in this one.
   */
  lose(): void {
    this.#phase = 'ended'
  }

  /**
   * Makes room for the next one; what comes is discarded. The lock of the record is held until then, or
   * until the time limit has passed once more.
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
      // The provider runs in a later microtask, so that the acquisition is in its place when it settles.
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

  /** Enters the last phase, and returns whether it was not entered before. */
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

/** Aborts what another request may have started, which a Worker's runtime can forbid. */
export function abortForeign(controller: AbortController, reason: unknown): void {
  try {
    controller.abort(reason)
  } catch {
    // It ends with its own request.
  }
}
