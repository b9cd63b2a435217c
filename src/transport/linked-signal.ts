/**
 * The signal that a credential sees while it works on a request.
 *
 * @module
 */
import { onAbort } from '../waiting.ts'

/**
 * One signal that aborts with either of two. It is made when it is first read, because most credentials never
 * read it, and listens to both until it is released.
 */
export class LinkedSignal {
  readonly #caller: AbortSignal | undefined
  readonly #closing: AbortSignal
  #controller: AbortController | undefined
  #unsubscribe: readonly (() => void)[] = []

  constructor(caller: AbortSignal | undefined, closing: AbortSignal) {
    this.#caller = caller
    this.#closing = closing
  }

  /** Aborts when the caller gives up, and when the manager is closed. */
  get signal(): AbortSignal {
    // Its own even without a caller's: what a credential adds to the manager's would stay there.
    this.#controller ??= this.#link()
    return this.#controller.signal
  }

  /** Stops listening, when the request is over. */
  release(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#unsubscribe = []
  }

  #link(): AbortController {
    const controller = new AbortController()
    const sources = this.#caller === undefined ? [] : [this.#caller]
    this.#unsubscribe = [...sources, this.#closing].map((source) =>
      onAbort(source, () => controller.abort(source.reason)),
    )
    return controller
  }
}
