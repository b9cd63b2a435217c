/**
 * Owns the managers of one authorized fetch.
 *
 * @module
 */
import type { TokenManager } from '../manager/token-manager.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import type { Sender } from './sender.ts'

/** A manager, and what sends its requests. */
export interface Member {
  readonly manager: TokenManager
  readonly port: Pick<
    TransportPort,
    'acquiring' | 'unsaved' | 'flush' | 'pauseRenewals' | 'resumeRenewals'
  >
  readonly sender: Sender
  /** The number of running requests, logins and logouts. */
  uses: number
}

/**
 * Keeps one manager for each key. When there are too many, the least recently used one is closed, but never
 * one that is in use.
 */
export class ManagerPool {
  readonly #maxKept: number
  // A map keeps the order of insertion, so the first is the least recently used one.
  readonly #members = new Map<string, Member>()
  readonly #evictions = new Set<Promise<void>>()
  /** Acquisitions whose end triggers another eviction. */
  readonly #awaited = new WeakSet<Promise<void>>()
  /** Members to evict when their login is written; they are not renewed in the background. */
  readonly #leaving = new Set<Member>()
  /** Evicted members whose login is being written. */
  readonly #flushing = new Set<Member>()
  readonly #closedError: () => Error
  #closing: Promise<void> | undefined

  /** @param closedError - Makes the error for requests after the close. */
  constructor(maxKept: number, closedError: () => Error) {
    this.#maxKept = maxKept
    this.#closedError = closedError
  }

  /** Whether {@link ManagerPool.close} was called. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * Returns the manager of a key, which is created if necessary and is in use until it is released.
   *
   * @throws The error of `closedError` after the close.
   */
  lease(key: string, make: () => Member): Member {
    const member = this.#members.get(key) ?? this.#add(key, make)
    if (this.closed) throw this.#closedError()
    this.#members.delete(key)
    this.#members.set(key, member)
    member.uses += 1
    this.#stay(member)
    this.#evict()
    return member
  }

  /** Creating a manager runs code of the application, which may create the same one, or close all. */
  #add(key: string, make: () => Member): Member {
    const made = make()
    const other = this.#members.get(key)
    if (other === undefined && !this.closed) return made
    this.#close(made)
    if (other !== undefined) return other
    throw this.#closedError()
  }

  /** Ends one use of a manager. */
  release(member: Member): void {
    member.uses -= 1
    this.#evict()
  }

  /** Closes all managers, and waits until their credentials are stored. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  #evict(): void {
    let surplus = this.#members.size - this.#maxKept
    if (surplus <= 0) for (const member of [...this.#leaving]) this.#stay(member)
    if (surplus <= 0 || this.closed) return
    for (const [key, member] of this.#members) {
      if (surplus <= 0) return
      const { acquiring, unsaved } = member.port
      // Its renewal may already have used a refresh token.
      if (acquiring !== undefined) this.#evictAfter(acquiring)
      if (member.uses > 0 || acquiring !== undefined) continue
      surplus -= 1
      if (unsaved) void this.#evictWhenWritten(member)
      else {
        this.#members.delete(key)
        this.#leaving.delete(member)
        this.#close(member)
      }
    }
  }

  /** Evicts again, once, when an acquisition has ended. */
  #evictAfter(acquiring: Promise<void>): void {
    if (this.#awaited.has(acquiring)) return
    this.#awaited.add(acquiring)
    const evict = () => this.#evict()
    acquiring.then(evict, evict)
  }

  /** Keeps a member, and resumes its background renewals. */
  #stay(member: Member): void {
    if (this.#leaving.delete(member)) member.port.resumeRenewals()
  }

  /** Writes the only copy of a login first; when that fails, the next request tries again. */
  async #evictWhenWritten(member: Member): Promise<void> {
    this.#leaving.add(member)
    member.port.pauseRenewals()
    if (this.#flushing.has(member)) return
    this.#flushing.add(member)
    await member.port.flush().catch(() => {})
    this.#flushing.delete(member)
    if (!member.port.unsaved) this.#evict()
  }

  #close({ manager }: Member): void {
    const eviction: Promise<void> = manager
      .close()
      .catch(() => {})
      .finally(() => this.#evictions.delete(eviction))
    this.#evictions.add(eviction)
  }

  async #closeAll(): Promise<void> {
    const closing = [...this.#members.values()].map(({ manager }) => manager.close())
    const results = await Promise.allSettled([...closing, ...this.#evictions])
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}
