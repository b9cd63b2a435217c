import pg from 'pg'
import { onTestFinished } from 'vitest'

/** A pool of one test, which ends with it. */
export function poolOf(url: string, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, ...options })
  // Connections that are idle end when the server does.
  pool.on('error', () => {})
  onTestFinished(() => {
    // Not waited for: a client that a failed test never gave back would be waited for for ever.
    void pool.end()
  })
  return pool
}
