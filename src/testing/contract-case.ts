/**
 * The type of a contract's cases, and assertions that need no test runner.
 *
 * @module
 */

/**
 * One requirement for a store or a provider.
 *
 * @group Contracts
 */
export interface ContractCase {
  /** The requirement as a sentence. */
  readonly name: string
  /** Rejects with an `Error` that describes the violation. */
  run(): Promise<void>
}

/** Throws an error with this message unless the condition holds. */
export function check(holds: boolean, message: string): void {
  if (!holds) throw new Error(message)
}

/**
 * Throws unless two JSON values are the same.
 *
 * @param what - What is compared, such as "`get` of a deleted key".
 */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (same(actual, expected)) return
  throw new Error(`${what}: expected ${brief(expected)}, received ${brief(actual)}.`)
}

function same(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true
  if (typeof left !== 'object' || typeof right !== 'object') return false
  if (left === null || right === null) return false
  const keys = Object.keys(left)
  return (
    Array.isArray(left) === Array.isArray(right) &&
    keys.length === Object.keys(right).length &&
    keys.every((name) => same(left[name as never], right[name as never]))
  )
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 200)
}
