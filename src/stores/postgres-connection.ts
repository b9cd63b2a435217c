/**
 * Sends statements to PostgreSQL, and repeats them while it cannot be reached.
 *
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises'
import { isCredentialError, type StoreOperation } from '../errors.ts'
import {
  isTransient,
  type PostgresPool,
  type PostgresResult,
  type Query,
  runLimited,
  sqlState,
  statementFailed,
  takeClient,
} from './postgres-client.ts'
import type { PostgresStatements } from './postgres-schema.ts'
import { type LockSession, openSession } from './postgres-session.ts'

/** The pool, the table, and how long to try. */
export interface PostgresConnectionOptions {
  readonly pool: PostgresPool
  readonly table: string
  /** Seconds during which a statement is repeated. */
  readonly timeout: number
  /** Seconds after which the server ends an idle session. */
  readonly lease: number
  readonly createTable: boolean
}

/** A use of the session that holds the locks, which stays open until all uses have ended. */
export interface SessionUse {
  readonly session: LockSession
  end(): void
}

interface SharedSession {
  readonly opening: Promise<LockSession>
  users: number
}

/** The statements of one store. All its locks share one connection, which its statements use while it is open. */
export class PostgresConnection {
  readonly #options: PostgresConnectionOptions
  readonly #sql: PostgresStatements
  readonly #onLost: (session: LockSession) => void
  #shared: SharedSession | undefined
  #table: Promise<void> | undefined

  /** @param onLost - Called with a session whose connection, and with it its locks, has ended. */
  constructor(
    options: PostgresConnectionOptions,
    sql: PostgresStatements,
    onLost: (session: LockSession) => void,
  ) {
    this.#options = options
    this.#sql = sql
    this.#onLost = onLost
  }

  /** Runs one statement, and repeats it while PostgreSQL cannot be reached. The statement must be repeatable. */
  async execute(
    operation: StoreOperation,
    text: string,
    values: readonly unknown[] = [],
    before: () => Promise<void> = async () => {},
  ): Promise<PostgresResult> {
    return this.retrying(operation, async () => {
      await before()
      return this.#anywhere((query) => query(text, values))
    })
  }

  /**
   * Runs an attempt, and repeats it while PostgreSQL cannot be reached: it may be restarting.
   *
   * @throws `StoreError` when PostgreSQL refuses a statement, or cannot be reached in time.
   */
  async retrying<T>(operation: StoreOperation, attempt: () => Promise<T>): Promise<T> {
    const { table, timeout, createTable } = this.#options
    const deadline = performance.now() + timeout * 1000
    for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
      try {
        if (createTable) await this.#created()
        return await attempt()
      } catch (error) {
        if (isCredentialError(error)) throw error
        if (!isTransient(error) || performance.now() + wait >= deadline) {
          throw statementFailed(operation, error, { table, seconds: timeout })
        }
      }
      await pause(wait)
    }
  }

  /** Creates the table where it is missing. Any number of processes may do this at the same time. */
  migrate(): Promise<void> {
    return this.retrying('open', () => this.#migrate())
  }

  /**
   * Uses the session for locks, and opens one where there is none.
   *
   * @throws The driver's error.
   */
  async useSession(): Promise<SessionUse> {
    this.#shared ??= this.#open()
    const use = await this.#use(this.#shared)
    if (!use.session.ended) return use
    use.end()
    throw new Error('The connection has ended.')
  }

  async #use(shared: SharedSession): Promise<SessionUse> {
    let isEnded = false
    const end = () => {
      if (isEnded) return
      isEnded = true
      shared.users -= 1
      if (shared.users > 0) return
      this.#forget(shared)
      shared.opening.then((session) => session.close()).catch(() => {})
    }
    shared.users += 1
    try {
      return { session: await shared.opening, end }
    } catch (error) {
      end()
      throw error
    }
  }

  #open(): SharedSession {
    const { pool, timeout, lease } = this.#options
    const limits = { timeoutMs: timeout * 1000, leaseMs: lease * 1000 }
    const lost = () => {
      this.#forget(shared)
      shared.opening.then(this.#onLost).catch(() => {})
    }
    const opening = openSession(pool, limits, lost)
    const shared: SharedSession = { opening, users: 0 }
    return shared
  }

  #forget(shared: SharedSession): void {
    if (this.#shared === shared) this.#shared = undefined
  }

  /** While a session is open, its connection is used: the pool may have no other. */
  async #anywhere<T>(task: (query: Query) => Promise<T>): Promise<T> {
    if (this.#shared === undefined) return this.#once(task)
    const { session, end } = await this.#use(this.#shared)
    try {
      return await session.run(task)
    } finally {
      end()
    }
  }

  async #once<T>(task: (query: Query) => Promise<T>): Promise<T> {
    const limit = this.#options.timeout * 1000
    const client = await takeClient(this.#options.pool, limit)
    const ignore = () => {}
    client.on('error', ignore)
    let isUsable = false
    try {
      const value = await task((text, values) => runLimited(client, limit, text, values))
      isUsable = true
      return value
    } catch (error) {
      isUsable = sqlState(error) !== undefined
      throw error
    } finally {
      if (isUsable) client.removeListener('error', ignore)
      client.release(!isUsable)
    }
  }

  #created(): Promise<void> {
    this.#table ??= this.#migrate().catch((error: unknown) => {
      this.#table = undefined
      throw error
    })
    return this.#table
  }

  #migrate(): Promise<void> {
    return this.#once(async (query) => {
      // A role that may use the table may not be allowed to create one.
      const { rows } = await query(this.#sql.find, [])
      if ((rows[0] as { found?: unknown } | undefined)?.found === true) return
      await query('BEGIN')
      try {
        // `IF NOT EXISTS` does not prevent collisions of concurrent creations.
        await query(`SELECT pg_advisory_xact_lock(hashtextextended('mcp-credentials migrate', 0))`)
        await query(this.#sql.create)
        await query('COMMIT')
      } catch (error) {
        await query('ROLLBACK').catch(() => {})
        throw error
      }
    })
  }
}
