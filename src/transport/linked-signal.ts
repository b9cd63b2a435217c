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
    if (this.#caller === undefined) return this.#closing
    this.#controller ??= this.#link([this.#caller, this.#closing])
    return this.#controller.signal
  }

  /** Stops listening, when the request is over. */
  release(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#unsubscribe = []
  }

  #link(sources: readonly AbortSignal[]): AbortController {
    const controller = new AbortController()
    this.#unsubscribe = sources.map((source) =>
      onAbort(source, () => controller.abort(source.reason)),
    )
    return controller
  }
}
