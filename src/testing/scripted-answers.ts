/**
 * Scripted responses, which a test server sends in place of its own.
 *
 * @module
 */

/** A queue of responses, each for a number of requests. */
export class ScriptedAnswers<T> {
  readonly #queue: { readonly answer: T; readonly isRefusal: boolean; left: number }[] = []

  /** Adds a response for the next request without one. */
  addOnce(answer: T): void {
    this.#queue.push({ answer, isRefusal: false, left: 1 })
  }

  /**
   * Adds a refusal for the next `count` requests without a scripted response; `Infinity` for all, 0 to cancel
   * earlier refusals.
   */
  addRefusals(answer: T, count: number): void {
    if (count > 0) this.#queue.push({ answer, isRefusal: true, left: count })
    else for (const entry of this.#queue) if (entry.isRefusal) entry.left = 0
  }

  /** Takes the response for one request; `undefined`: the server's own. */
  next(): T | undefined {
    const entry = this.#queue.find(({ left }) => left > 0)
    if (entry !== undefined) entry.left -= 1
    return entry?.answer
  }
}
