/**
 * What a test tells a server to answer next, in place of its own answers.
 *
 * @module
 */

/** A queue of answers, each for a number of requests. */
export class ScriptedAnswers<T> {
  readonly #queue: { readonly answer: T; readonly isRefusal: boolean; left: number }[] = []

  /** Adds an answer for the next request that no earlier one is for. */
  addOnce(answer: T): void {
    this.#queue.push({ answer, isRefusal: false, left: 1 })
  }

  /**
   * Adds a refusal for the next `count` requests that no earlier answer is for; `Infinity` for all, 0 to end
   * former refusals.
   */
  addRefusals(answer: T, count: number): void {
    if (count > 0) this.#queue.push({ answer, isRefusal: true, left: count })
    else for (const entry of this.#queue) if (entry.isRefusal) entry.left = 0
  }

  /** Takes the answer for one request; `undefined`: the server's own. */
  next(): T | undefined {
    const entry = this.#queue.find(({ left }) => left > 0)
    if (entry !== undefined) entry.left -= 1
    return entry?.answer
  }
}
