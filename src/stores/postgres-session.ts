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
  /** How long the server waits for a sign of life before it ends the session. */
  readonly leaseMs: number
}

/** What the client waits longer than the server, whose answer says more. */
const marginMs = 1000

/**
 * One connection with a transaction that stays open, and is followed by the next one at each commit. Locks belong to
 * the session, and end with its connection. A pooler that lends connections for a transaction (PgBouncer) does not
 * take this one away in between.
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

  /** Its connection has ended, and its locks with it. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * Runs statements in a transaction of their own, after those that were asked for before.
   *
   * @throws The driver's error. When the server has refused a statement, the session and its locks remain.
   */
  run<T>(task: (query: Query) => Promise<T>): Promise<T> {
    const turn = this.#queue.then(() => this.#transaction(task))
    this.#queue = turn.catch(() => {})
    return turn
  }

  /** Ends the transaction and gives the connection back. There must be no locks any more. */
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
      // The locks of a session outlive a transaction that failed.
      else await this.#query(this.#next('ROLLBACK AND CHAIN')).catch(this.#fail)
      throw error
    }
  }

  readonly #query: Query = async (text, values) => {
    if (this.#ended) throw new Error('The connection has ended.')
    return runLimited(this.#client, this.#limits.timeoutMs + marginMs, text, values)
  }

  /** Settings of a transaction end with it, and so never reach others that use the connection later. */
  #next(statement: string): string {
    const { timeoutMs, leaseMs } = this.#limits
    return `${statement}; SET LOCAL statement_timeout = ${Math.ceil(timeoutMs)}; SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(leaseMs)}`
  }

  #end(isLost: boolean): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#keepAlive)
    this.#client.removeListener('end', this.#fail)
    // The listener of errors stays with a connection that failed: it may fail again while it is closed.
    if (!isLost) this.#client.removeListener('error', this.#fail)
    this.#client.release(isLost)
    if (isLost) this.#onLost()
  }
}

/**
 * Opens a session with a client of its own.
 *
 * @param onLost - Called once when its connection ends before `close`: its locks are gone.
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
