/**
 * Suggests a similar name for one that does not exist.
 *
 * @module
 */

/** Longer names are not compared, because a file may contain any text. */
const longestName = 64

/** The candidate that is most similar to a name; `undefined`: none is similar. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = simplified(name)
  if (wanted.length > longestName) return undefined
  let best: string | undefined
  let least = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const found = distance(wanted, simplified(candidate), least)
    if (found >= least) continue
    least = found
    best = candidate
  }
  return best
}

// `api_key`, `API-Key` and `apiKey` are compared as equal.
function simplified(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, '')
}

/** The edit distance of two texts (Levenshtein), at most `limit`. */
function distance(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit
  // Letters in the wrong order count as one edit.
  if (one !== other && sorted(one) === sorted(other)) return 1
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1]
    for (const [column, otherLetter] of [...other].entries()) {
      const replaced = (row[column] ?? limit) + (letter === otherLetter ? 0 : 1)
      const removed = (row[column + 1] ?? limit) + 1
      const added = (next[column] ?? limit) + 1
      next.push(Math.min(replaced, removed, added))
    }
    row = next
  }
  return row.at(-1) ?? limit
}

function sorted(text: string): string {
  return [...text].sort().join('')
}
