/**
 * Locks in Redis: leases with a token that Redis compares at each write.
 *
 * @module
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError, type StoreOperation } from '../errors.ts'
import { recordLabel } from '../labels.ts'
import type { RedisConnection } from './redis-connection.ts'

/** The names and the durations of the locks. */
export interface RedisLockOptions {
  /** The name of a lock in Redis. */
  readonly keyOf: (key: string) => string
  /** Seconds after which the lock of a dead holder is released. */
  readonly lease: number
  /** Maximum seconds to wait for a lock. */
  readonly timeout: number
}

/** A lock that a task holds. */
export interface Lease {
  readonly key: string
  /** The key of the lock in Redis. */
  readonly lockKey: string
  /** The value of that key while the lease is held. */
  readonly token: string
}

const scripts = {
  // The lock is already held when the response to an earlier attempt was lost.
  take: `if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end return 0`,
  release: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`,
  renew: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`,
} as const

/** The locks of one store. */
export class RedisLock {
  readonly #connection: RedisConnection
  readonly #options: RedisLockOptions
  readonly #inside = new AsyncLocalStorage<readonly Lease[]>()
  readonly #live = new Set<Lease>()

  constructor(connection: RedisConnection, options: RedisLockOptions) {
    this.#connection = connection
    this.#options = options
  }

  /**
   * Returns the lease of the current task; `undefined`: it has no lock.
   *
   * @throws `StoreError` when the lease has ended before the task.
   */
  leaseOf(operation: StoreOperation, key: string): Lease | undefined {
    const lease = this.#inside.getStore()?.find((each) => each.key === key)
    if (lease === undefined || this.#live.has(lease)) return lease
    throw leaseLost(operation, key)
  }

  /**
   * Runs a task while it holds the lock of a key. The task's signal aborts when the lease is lost.
   *
   * @throws `StoreError` with the code `lock_timeout` when another process holds the lock for too long; the
   * signal's reason when the caller aborts.
   */
  async run<T>(
    key: string,
    task: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const outer = this.#inside.getStore() ?? []
    if (outer.some((lease) => lease.key === key && this.#live.has(lease))) {
      throw new StoreError(
        'lock',
        `The lock of ${recordLabel(key)} is already held by this task.`,
        { remedy: 'Do not lock a key inside a task that holds it.' },
      )
    }
    const lease = { key, lockKey: this.#options.keyOf(key), token: randomUUID() }
    try {
      await this.#acquire(lease, signal)
      signal?.throwIfAborted()
    } catch (error) {
      // The lock may be held even so, when only the response was lost.
      await this.#release(lease)
      throw error
    }
    return this.#hold(lease, task)
  }

  async #acquire(lease: Lease, signal: AbortSignal | undefined): Promise<void> {
    const { timeout } = this.#options
    const deadline = performance.now() + timeout * 1000
    for (let wait = 10; ; wait = Math.min(wait * 1.5, 200)) {
      signal?.throwIfAborted()
      if (Number(await this.#run('take', lease)) === 1) {
        return this.#connection.replicated('lock', lease.lockKey)
      }
      if (performance.now() >= deadline) {
        const text = `Another process has held the lock of ${recordLabel(lease.key)} for ${timeout} s.`
        const remedy = 'Try again, or end that process: it may be waiting for the user to log in.'
        throw new StoreError('lock', text, { retryable: true, remedy })
      }
      await pause(
        wait + Math.random() * wait,
        undefined,
        signal === undefined ? {} : { signal },
      ).catch(() => {})
    }
  }

  async #hold<T>(lease: Lease, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const loss = new AbortController()
    const stop = keepLease(
      async () => Number(await this.#run('renew', lease)) === 1,
      this.#options.lease,
      () => loss.abort(leaseLost('lock', lease.key)),
    )
    this.#live.add(lease)
    try {
      // Work that an ended task left running may lock again.
      const outer = this.#inside.getStore() ?? []
      const inside = [...outer.filter(({ key }) => key !== lease.key), lease]
      return await this.#inside.run(inside, () => task(loss.signal))
    } finally {
      this.#live.delete(lease)
      stop()
      await this.#release(lease)
    }
  }

  /** When this fails, the lease expires. */
  async #release(lease: Lease): Promise<void> {
    await this.#run('release', lease).catch(() => {})
  }

  #run(script: keyof typeof scripts, { lockKey, token }: Lease): Promise<unknown> {
    const args =
      script === 'release' ? [token] : [token, String(Math.ceil(this.#options.lease * 1000))]
    return this.#connection.run('lock', scripts[script], [lockKey], args)
  }
}

/** Renews a lease at a third of its time, until it is stopped or lost. */
function keepLease(renew: () => Promise<boolean>, lease: number, onLoss: () => void): () => void {
  let renewed = performance.now()
  const timer = setInterval(
    async () => {
      const started = performance.now()
      const isOurs = await renew().catch(() => undefined)
      if (isOurs === true) renewed = started
      else if (isOurs === false || performance.now() - renewed > lease * 1000) {
        clearInterval(timer)
        onLoss()
      }
    },
    (lease * 1000) / 3,
  )
  timer.unref()
  return () => clearInterval(timer)
}

/** Makes the error for a holder whose lease ended before its task. */
export function leaseLost(operation: StoreOperation, key: string): StoreError {
  return new StoreError(
    operation,
    `The lock of ${recordLabel(key)} was lost: this process was suspended or blocked for too long.`,
    {
      retryable: true,
      remedy: 'Nothing was written. Another process may hold the lock now.',
    },
  )
}
