/**
 * The names of records and locks in Redis.
 *
 * @module
 */
import { createHash } from 'node:crypto'

/** The names of one prefix. */
export interface RedisKeys {
  /** The name of a record. */
  record(key: string): string
  /** The name of its lock. */
  lock(key: string): string
  /** A pattern that matches the names of all records, and possibly others. */
  readonly recordPattern: string
  /** The key of a record by its name; `undefined`: it is not a record of this library. */
  ofRecord(name: string): string | undefined
}

/**
 * Makes the names of a prefix. A record and its lock share a hash tag, so that a cluster stores them on one server,
 * where one script can use both. A key may contain braces, so the tag is a hash of it.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export function redisKeys(prefix: string): RedisKeys {
  const tagged = (key: string) =>
    `${prefix}{${createHash('sha256').update(key).digest('hex').slice(0, tagLength)}}`
  const record = (key: string) => `${tagged(key)}record:${key}`
  const start = `${prefix}{${'0'.repeat(tagLength)}}record:`.length
  return {
    record,
    lock: (key) => `${tagged(key)}lock:${key}`,
    recordPattern: `${escapePattern(prefix)}{*}record:*`,
    ofRecord(name) {
      const key = name.slice(start)
      return record(key) === name ? key : undefined
    },
  }
}

const tagLength = 16

function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}
