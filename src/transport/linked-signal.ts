/**
 * The signal that a credential receives while it is applied to a request.
 *
 * @module
 */
import { onAbort } from '../waiting.ts'

/**
 * One signal that aborts with either of two. It is created when it is first read, because most credentials
 * never read it, and listens to both until it is released.
 */
export class LinkedSignal {
  readonly #caller: AbortSignal | undefined
  readonly #ending: AbortSignal
  #controller: AbortController | undefined
  #unsubscribe: readonly (() => void)[] = []

  constructor(caller: AbortSignal | undefined, ending: AbortSignal) {
    this.#caller = caller
    this.#ending = ending
  }

  /** Aborts when the caller aborts, at a logout, and when the manager is closed. */
  get signal(): AbortSignal {
    // A separate signal even without the caller's: listeners that a credential adds to the manager's would
    // stay there.
    this.#controller ??= this.#link()
    return this.#controller.signal
  }

  /** Stops listening, when the attempt has ended. */
  release(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#unsubscribe = []
  }

  #link(): AbortController {
    const controller = new AbortController()
    const sources = this.#caller === undefined ? [] : [this.#caller]
    this.#unsubscribe = [...sources, this.#ending].map((source) =>
      onAbort(source, () => controller.abort(source.reason)),
    )
    return controller
  }
}
