/**
 * The requests of a server that its client has not answered yet.
 *
 * @module
 */

const maxRequests = 1000
const maxKeyChars = 1024

/**
 * Knows where the latest requests came from. One that is forgotten is answered all the same, if only to the session of
 * the moment, so a server cannot fill the memory.
 */
export interface RecentRequests<Source> {
  add(key: string, source: Source): void
  /** Where a request came from, which is forgotten then. */
  take(key: string): Source | undefined
  /** The requests of a source, which are still known. */
  keysOf(source: Source): readonly string[]
}

/** Makes a table that is empty. */
export function recentRequests<Source>(): RecentRequests<Source> {
  const sources = new Map<string, Source>()
  return {
    add(key, source) {
      if (key.length > maxKeyChars) return
      sources.delete(key)
      sources.set(key, source)
      const [oldest] = sources.keys()
      if (sources.size > maxRequests && oldest !== undefined) sources.delete(oldest)
    },
    take(key) {
      const source = sources.get(key)
      sources.delete(key)
      return source
    },
    keysOf: (source) => [...sources.keys()].filter((key) => sources.get(key) === source),
  }
}
