/**
 * The connection that holds the locks of a process.
 *
 * @module
 */
import {
  type PostgresClient,
  type PostgresPool,
  type Query,
  runLimited,
  sqlState,
  takeClient,
} from './postgres-client.ts'

/** Time limits of a session, in milliseconds. */
export interface SessionLimits {
  /** For one statement. */
  readonly timeoutMs: number
  /** How long the server waits before it ends an idle session. */
  readonly leaseMs: number
}

/** How much longer than the server the client waits: the server's error is more specific. */
const marginMs = 1000

/**
 * One connection with an open transaction, which is followed by the next one at each commit. Locks belong to
 * the session, and end with its connection. A pooler in transaction mode (PgBouncer) therefore does not
 * reassign this connection.
 */
export class LockSession {
  readonly #client: PostgresClient
  readonly #limits: SessionLimits
  readonly #onLost: () => void
  #queue: Promise<unknown> = Promise.resolve()
  #keepAlive: ReturnType<typeof setInterval> | undefined
  #ended = false
  readonly #fail = () => this.#end(true)

  constructor(client: PostgresClient, limits: SessionLimits, onLost: () => void) {
    this.#client = client
    this.#limits = limits
    this.#onLost = onLost
    client.on('error', this.#fail)
    client.on('end', this.#fail)
  }

  /** Begins the first transaction. */
  async begin(): Promise<void> {
    try {
      await this.#query(this.#next('BEGIN ISOLATION LEVEL READ COMMITTED'))
    } catch (error) {
      this.#fail()
      throw error
    }
    this.#keepAlive = setInterval(
      () => void this.run(async () => {}).catch(() => {}),
      this.#limits.leaseMs / 3,
    )
    this.#keepAlive.unref()
  }

  /** Whether its connection, and with it its locks, has ended. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * Runs statements in a separate transaction, after the earlier ones.
   *
   * @throws The driver's error. When the server has refused a statement, the session and its locks remain.
   */
  run<T>(task: (query: Query) => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => this.#transaction(task))
    this.#queue = turn.catch(() => {})
    return turn
  }

  /** Ends the transaction and returns the connection. All locks must have been released. */
  async close(): Promise<void> {
    await this.#queue
    if (this.#ended) return
    clearInterval(this.#keepAlive)
    try {
      await this.#query('COMMIT')
    } catch {
      this.#fail()
    }
    this.#end(false)
  }

  async #transaction<T>(task: (query: Query) => Promise<T>): Promise<T> {
    try {
      const value = await task(this.#query)
      await this.#query(this.#next('COMMIT AND CHAIN'))
      return value
    } catch (error) {
      if (sqlState(error) === undefined) this.#fail()
      // The locks of a session outlast a failed transaction.
      else await this.#query(this.#next('ROLLBACK AND CHAIN')).catch(this.#fail)
      throw error
    }
  }

  readonly #query: Query = async (text, values) => {
    if (this.#ended) throw new Error('The connection has ended.')
    return runLimited(this.#client, this.#limits.timeoutMs + marginMs, text, values)
  }

  /** Settings of a transaction end with it, and do not affect later users of the connection. */
  #next(statement: string): string {
    const { timeoutMs, leaseMs } = this.#limits
    return `${statement}; SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}; SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(leaseMs)}`
  }

  #end(isLost: boolean): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#keepAlive)
    this.#client.removeListener('end', this.#fail)
    // The error listener of a failed connection is kept: it may fail again while it is closed.
    if (!isLost) this.#client.removeListener('error', this.#fail)
    this.#client.release(isLost)
    if (isLost) this.#onLost()
  }
}

/**
 * Opens a session with a separate client.
 *
 * @param onLost - Called once when its connection ends before `close`, which ends its locks.
 * @throws The driver's error.
 */
export async function openSession(
  pool: PostgresPool,
  limits: SessionLimits,
  onLost: () => void,
): Promise<LockSession> {
  const session = new LockSession(await takeClient(pool, limits.timeoutMs), limits, onLost)
  await session.begin()
  return session
}
