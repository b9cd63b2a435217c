/**
 * The owner of the managers behind one authorized fetch.
 *
 * @module
 */
import type { CredentialEvent } from '../events.ts'
import type { TokenManager } from '../manager/token-manager.ts'
import type { Sender } from './sender.ts'

/** A manager, and what sends its requests. */
export interface Member {
  readonly manager: TokenManager
  readonly sender: Sender
  /** How many requests, logins and logouts are under way. */
  uses: number
}

/**
 * Keeps one manager for each key. When there are too many, the one that was not used for the longest time is
 * closed, but never one that is in use. In the end all are closed.
 */
export class ManagerPool {
  readonly #maxKept: number
  // A map keeps the order of insertion, so the first is the one that was not used for the longest time.
  readonly #members = new Map<string, Member>()
  readonly #evictions = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(maxKept: number) {
    this.#maxKept = maxKept
  }

  /** Whether {@link ManagerPool.close} was called. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** The manager of a key, made when there is none; it counts as in use until it is released. */
  lease(key: string, make: () => Member): Member {
    const member = this.#members.get(key) ?? make()
    this.#members.delete(key)
    this.#members.set(key, member)
    member.uses += 1
    this.#evict()
    return member
  }

  /** Ends one use of a manager. */
  release(member: Member): void {
    member.uses -= 1
    this.#evict()
  }

  /** Closes all managers, and waits until what they have is written. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll()
    return this.#closing
  }

  #evict(): void {
    if (this.#members.size <= this.#maxKept || this.closed) return
    for (const [key, member] of this.#members) {
      if (this.#members.size <= this.#maxKept) return
      if (member.uses > 0) continue
      this.#members.delete(key)
      const eviction: Promise<void> = member.manager
        .close()
        .catch(() => {})
        .finally(() => this.#evictions.delete(eviction))
      this.#evictions.add(eviction)
    }
  }

  async #closeAll(): Promise<void> {
    const closing = [...this.#members.values()].map(({ manager }) => manager.close())
    const results = await Promise.allSettled([...closing, ...this.#evictions])
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

/**
 * Follows the background renewals of a manager by its events, so that they count as uses.
 *
 * @param begin - A renewal began.
 * @param end - It ended. Called later than the event, whose sender must not be closed meanwhile.
 */
export function followRenewals(
  begin: () => void,
  end: () => void,
): (event: CredentialEvent) => void {
  let isRenewing = false
  return (event) => {
    if (event.type === 'acquire_start') {
      if (isRenewing || !event.background) return
      isRenewing = true
      begin()
    } else if (isRenewing && endsRenewal.has(event.type)) {
      isRenewing = false
      queueMicrotask(end)
    }
  }
}

const endsRenewal: ReadonlySet<CredentialEvent['type']> = new Set([
  'acquire_success',
  'acquire_failure',
  'logged_out',
  'closed',
])
