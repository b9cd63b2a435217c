/**
 * The unanswered requests of a server.
 *
 * @module
 */

const maxRequests = 1000
const maxKeyChars = 1024

/**
 * Records the sources of the latest requests, with a limit on memory. The response to a forgotten request
 * is sent to the current session.
 */
export interface RecentRequests<Source> {
  add(key: string, source: Source): void
  /** Returns the source of a request, and forgets the request. */
  take(key: string): Source | undefined
  /** The recorded requests of a source. */
  keysOf(source: Source): readonly string[]
}

/** Creates an empty table. */
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
