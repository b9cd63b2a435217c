/**
 * The place of one record in a store.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { within } from '../waiting.ts'
import { keepAlive } from './keep-alive.ts'

/** How long a write that was given up is waited for, in milliseconds. */
const landingLimitMs = 30_000

/**
 * Reads and writes one record. A store may be slow with a write that nobody waits for any longer. The lock
 * of the record is held until that write has ended, so that it replaces nothing that came later: neither
 * the renewal of another process, nor a logout.
 */
export class StoredSlot {
  readonly #store: CredentialStore
  readonly #key: string
  readonly #writing = new Set<Promise<unknown>>()
  #release: () => void = () => {}

  constructor(store: CredentialStore, key: string) {
    this.#store = store
    this.#key = key
  }

  get(): Promise<CredentialRecord | undefined> {
    return this.#store.get(this.#key)
  }

  set(record: CredentialRecord): Promise<void> {
    return this.#watched(this.#store.set(this.#key, record))
  }

  delete(): Promise<boolean> {
    return this.#watched(this.#store.delete(this.#key))
  }

  /** Runs a task that holds the lock; callers have its outcome while a write is still waited for. */
  lock<T>(task: (lease: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async (lease: AbortSignal) => {
        const running = task(lease)
        await Promise.allSettled([running])
        if (this.#writing.size > 0) {
          running.then(resolve, reject)
          const landing = this.#landing()
          keepAlive(landing)
          await landing
        }
        return running
      }
      this.#store.lock(this.#key, run, signal).then(resolve, reject)
    })
  }

  /** Waits no longer for writes that were given up, so that what they were to write can be written again. */
  release(): void {
    this.#release()
  }

  #landing(): Promise<void> {
    const released = new Promise<void>((resolve) => {
      this.#release = resolve
    })
    const landed = Promise.allSettled(this.#writing)
    return within(landingLimitMs, Promise.race([landed, released]), { keepsProcess: false })
  }

  #watched<T>(writing: Promise<T>): Promise<T> {
    this.#writing.add(writing)
    const ended = () => this.#writing.delete(writing)
    writing.then(ended, ended)
    return writing
  }
}
