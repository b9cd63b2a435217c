/**
 * Locks in PostgreSQL: advisory locks, with a fence in the row of the record that each write compares.
 *
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError, type StoreOperation } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import { abortable, within } from '../waiting.ts'
import type { PostgresConnection, SessionUse } from './postgres-connection.ts'
import type { PostgresStatements } from './postgres-schema.ts'
import type { LockSession } from './postgres-session.ts'
import { checkKey } from './record.ts'

/** How long a holder tries to reach a restarted server, in milliseconds. */
const recoveryMs = 30_000

/** A lock that a task holds. */
export interface Lease {
  readonly key: string
  /** The identifier of the record's row. */
  readonly id: Buffer
  /** The value in the row while the lock is held, unless another process has taken it over. */
  readonly fence: string
  readonly loss: AbortController
  use: SessionUse | undefined
  recovering: Promise<void> | undefined
  ended: boolean
}

/** A fence that a holder left in the row before a restart of the server, and when it was first seen. */
interface Abandoned {
  readonly fence: string
  readonly since: number
}

type Attempt = 'held' | 'busy' | { readonly abandoned: string }

/** The identifier of a record: keys can be too long for an index. */
export function recordId(key: string): Buffer {
  return createHash('sha256').update(key).digest()
}

/** The locks of one store. */
export class PostgresLock {
  readonly #connection: PostgresConnection
  readonly #sql: PostgresStatements
  readonly #timeoutMs: number
  readonly #inside = new AsyncLocalStorage<readonly Lease[]>()
  readonly #leases = new Set<Lease>()
  /** The last waiter for a key in this process: a session could take its own lock twice. */
  readonly #tails = new Map<string, Promise<void>>()

  /** @param timeout - Maximum seconds to wait for a lock. */
  constructor(connection: PostgresConnection, sql: PostgresStatements, timeout: number) {
    this.#connection = connection
    this.#sql = sql
    this.#timeoutMs = timeout * 1000
  }

  /**
   * Returns the lease of the current task; `undefined`: it has no lock.
   *
   * @throws `StoreError` when the lease has ended before the task.
   */
  leaseOf(operation: StoreOperation, key: string): Lease | undefined {
    const lease = this.#inside.getStore()?.find((each) => each.key === key)
    if (lease?.ended === true) throw leaseLost(operation, key)
    return lease
  }

  /** Waits while it is not known whether a lease is still held, and throws when it has ended or is lost. */
  async checkLease(operation: StoreOperation, lease: Lease): Promise<void> {
    const { key, loss, recovering } = lease
    if (recovering !== undefined) await within(1000, recovering)
    if (lease.ended || loss.signal.aborted) throw leaseLost(operation, key)
  }

  /** Called when the connection of a session has ended. */
  lost(session: LockSession): void {
    for (const lease of this.#leases) {
      if (lease.use?.session !== session || lease.ended) continue
      lease.use.end()
      lease.use = undefined
      const recovering = this.#recover(lease).finally(() => {
        if (lease.recovering === recovering) lease.recovering = undefined
      })
      lease.recovering = recovering
    }
  }

  /**
   * Runs a task while it holds the lock of a key. The task's signal aborts when the lock is lost.
   *
   * @throws `StoreError` with the code `lock_timeout` when another process holds the lock for too long; the
   * signal's reason when the caller aborts.
   */
  async run<T>(
    key: string,
    task: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    checkKey(key)
    const outer = this.#inside.getStore() ?? []
    if (outer.some((each) => each.key === key && !each.ended)) {
      const text = `The lock of ${recordLabel(key)} is already held by this very task.`
      throw new StoreError('lock', text, {
        remedy: 'Do not lock a key inside a task that holds it.',
      })
    }
    const deadline = performance.now() + this.#timeoutMs
    const leave = await this.#queue(key, deadline, signal)
    let lease: Lease
    try {
      lease = await this.#acquire(key, deadline, signal)
    } catch (error) {
      leave()
      throw error
    }
    try {
      signal?.throwIfAborted()
      // What an ended task has left behind may lock again.
      const inside = [...outer.filter((each) => each.key !== key), lease]
      return await this.#inside.run(inside, () => task(lease.loss.signal))
    } finally {
      lease.ended = true
      const released = this.#release(lease).finally(leave)
      // The outcome of the task does not wait for the server.
      if (lease.recovering === undefined) await released
    }
  }

  /** Waits for the earlier waiters in this process. */
  async #queue(
    key: string,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<() => void> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    let leave: () => void = () => {}
    const own = new Promise<void>((resolve) => {
      leave = resolve
    })
    const tail = before.then(() => own)
    this.#tails.set(key, tail)
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
    let isFirst = false
    void before.then(() => {
      isFirst = true
    })
    try {
      await abortable(within(Math.max(1, deadline - performance.now()), before), signal)
      if (!isFirst) throw this.#timedOut(key)
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }

  async #acquire(key: string, deadline: number, signal: AbortSignal | undefined): Promise<Lease> {
    const lease: Lease = {
      ...{ key, id: recordId(key), fence: randomUUID(), loss: new AbortController() },
      ...{ use: undefined, recovering: undefined, ended: false },
    }
    // Less than the time limit of a waiter, or no waiter could take over the lock of a dead holder.
    const graceMs = this.#timeoutMs / 2
    let abandoned: Abandoned | undefined
    for (let wait = 10; ; wait = Math.min(wait * 1.5, 200)) {
      signal?.throwIfAborted()
      const isOver = abandoned !== undefined && performance.now() - abandoned.since > graceMs
      const takeover = isOver ? abandoned?.fence : undefined
      const outcome = await this.#connection.retrying('lock', () => this.#attempt(lease, takeover))
      if (outcome === 'held') return lease
      if (outcome !== 'busy' && outcome.abandoned !== abandoned?.fence) {
        abandoned = { fence: outcome.abandoned, since: performance.now() }
      }
      const remaining = deadline - performance.now()
      if (remaining <= 0) throw this.#timedOut(key)
      const delay = Math.min(wait + Math.random() * wait, remaining)
      await pause(delay, undefined, signal === undefined ? {} : { signal }).catch(() => {})
    }
  }

  /** Takes the lock if it is free, and writes the fence while it is held. */
  async #attempt(lease: Lease, takeover: string | undefined): Promise<Attempt> {
    const { key, id, fence } = lease
    const use = await this.#connection.useSession()
    let isLocked = false
    let outcome: Attempt = 'busy'
    try {
      outcome = await use.session.run(async (query): Promise<Attempt> => {
        isLocked = isTrue(await query(this.#sql.tryLock, [id]), 'locked')
        if (!isLocked) return 'busy'
        const values = [id, key, fence, takeover ?? null]
        if ((await query(this.#sql.fence, values)).rowCount === 1) return 'held'
        const { rows } = await query(this.#sql.holder, [id])
        const { fence: abandoned = '' } = (rows[0] ?? {}) as { fence?: string }
        return { abandoned }
      })
      if (outcome === 'held') {
        lease.use = use
        this.#leases.add(lease)
      }
      if (use.session.ended) throw new Error('The connection has ended.')
      return outcome
    } catch (error) {
      outcome = 'busy'
      this.#leases.delete(lease)
      lease.use = undefined
      throw error
    } finally {
      if (outcome !== 'held') {
        if (isLocked) await this.#unlock(use.session, id)
        use.end()
      }
    }
  }

  /** When this fails, the connection and the lock have ended. */
  async #unlock(session: LockSession, id: Buffer): Promise<void> {
    await session.run((query) => query(this.#sql.unlock, [id])).catch(() => {})
  }

  async #release(lease: Lease): Promise<void> {
    await lease.recovering
    const { use, id, fence } = lease
    this.#leases.delete(lease)
    if (use === undefined) return
    const freed = use.session.run(async (query) => {
      await query(this.#sql.release, [id, fence])
      await query(this.#sql.unlock, [id])
    })
    // When the row cannot be cleaned up, the next holder replaces the fence.
    await freed.catch(() => this.#unlock(use.session, id))
    use.end()
  }

  /**
   * After a restart of the server all its locks have ended, but their holders are still running, and may have
   * used a refresh token. A holder therefore takes its lock again if it is free, and other processes wait for
   * some time before they take it. When only the connection has ended, others may take the lock immediately.
   */
  async #recover(lease: Lease): Promise<void> {
    const deadline = performance.now() + recoveryMs
    for (let wait = 20; ; wait = Math.min(wait * 1.5, 500)) {
      const outcome = await this.#resume(lease).catch(() => 'busy' as const)
      if (outcome === 'held') return
      if (outcome === 'lost' || performance.now() > deadline) {
        lease.loss.abort(leaseLost('lock', lease.key))
        return
      }
      await pause(wait, undefined, { ref: false })
    }
  }

  async #resume(lease: Lease): Promise<'held' | 'lost' | 'busy'> {
    const values = [lease.id, lease.fence]
    const use = await this.#connection.useSession()
    let isLocked = false
    let outcome: 'held' | 'lost' | 'busy' = 'busy'
    try {
      outcome = await use.session.run(async (query) => {
        if ((await query(this.#sql.resumable, values)).rowCount !== 1) return 'lost'
        isLocked = isTrue(await query(this.#sql.tryLock, [lease.id]), 'locked')
        if (!isLocked) return 'busy'
        return (await query(this.#sql.resume, values)).rowCount === 1 ? 'held' : 'lost'
      })
      if (use.session.ended) outcome = 'busy'
      if (outcome === 'held') lease.use = use
      return outcome
    } finally {
      if (outcome !== 'held') {
        if (isLocked) await this.#unlock(use.session, lease.id)
        use.end()
      }
    }
  }

  #timedOut(key: string): StoreError {
    const text = `Another task or process has held the lock of ${recordLabel(key)} for ${this.#timeoutMs / 1000} s.`
    const remedy = 'Try again, or end that process: it may be waiting for the user to log in.'
    return new StoreError('lock', text, { retryable: true, remedy })
  }
}

function isTrue({ rows }: { readonly rows: readonly unknown[] }, column: string): boolean {
  return (rows[0] as Readonly<Record<string, unknown>> | undefined)?.[column] === true
}

/** Makes the error for a holder whose lock ended before its task. */
export function leaseLost(operation: StoreOperation, key: string): StoreError {
  return new StoreError(
    operation,
    `The lock of ${recordLabel(key)} was lost: its connection to PostgreSQL has ended, or this process was suspended for too long.`,
    {
      retryable: true,
      remedy: 'Nothing was written. Another process may hold the lock now.',
    },
  )
}
