/**
 * What a test tells a server to answer next, in place of its own answers.
 *
 * @module
 */

/** A queue of answers, each for a number of requests. */
export class ScriptedAnswers<T> {
  readonly #queue: { readonly answer: T; left: number }[] = []

  /** Adds an answer for the next `count` requests that no earlier one is for; `Infinity` for all. */
  add(answer: T, count: number): void {
    this.#queue.push({ answer, left: count })
  }

  /** Takes the answer for one request; `undefined`: the server's own. */
  next(): T | undefined {
    const entry = this.#queue.find(({ left }) => left > 0)
    if (entry !== undefined) entry.left -= 1
    return entry?.answer
  }
}
