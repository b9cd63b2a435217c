/**
 * Reads and writes one record of a store.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { abortable, within } from '../waiting.ts'
import { keepAlive } from './keep-alive.ts'

/** How long the lock is held for abandoned writes, in milliseconds: less than other processes wait for it. */
const landingLimitMs = 5000
/** How old a write may be before this process locks the record without waiting for it, in milliseconds. */
const settlingLimitMs = 30_000
/** The additional time for such a write after the process was suspended, in milliseconds. */
const graceMs = 1000

/**
 * Reads and writes one record. An abandoned write may complete late, and must not replace a later renewal or
 * undo a later logout. The lock of the record is therefore held for some time after it, and this process
 * waits for it before it takes the lock again.
 */
export class StoredSlot {
  readonly #store: CredentialStore
  readonly #key: string
  readonly #finish: (lease: AbortSignal) => Promise<void>
  /** When each write began, on the clock of `performance`. */
  readonly #writing = new Map<Promise<unknown>, number>()
  #landing: Promise<void> | undefined
  #closing = false
  #release: () => void = () => {}

  /** @param finish - Called with the lock held, after waiting for an abandoned write. */
  constructor(store: CredentialStore, key: string, finish: (lease: AbortSignal) => Promise<void>) {
    this.#store = store
    this.#key = key
    this.#finish = finish
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

  /** Runs a task with the lock held; callers receive its outcome before an abandoned write has completed. */
  async lock<T>(task: (lease: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#settled(signal)
    return new Promise((resolve, reject) => {
      let ended = () => {}
      const run = async (lease: AbortSignal) => {
        const running = task(lease)
        await Promise.allSettled([running])
        if (this.#writing.size > 0) {
          const landing = new Promise<void>((end) => {
            ended = end
          })
          this.#landing = landing
          keepAlive(landing)
          running.then(resolve, reject)
          await this.#land(lease)
        }
        return running
      }
      const unlocked = this.#store.lock(this.#key, run, signal).finally(() => ended())
      unlocked.then(resolve, reject)
    })
  }

  /** Stops waiting for abandoned writes, so that they can be repeated. */
  close(): void {
    this.#closing = true
    this.#release()
  }

  /** Waits for abandoned writes, but only for a limited time. */
  async #settled(signal: AbortSignal | undefined): Promise<void> {
    const landing = this.#landing
    if (landing !== undefined) await abortable(within(settlingLimitMs, landing), signal)
    if (this.#landing === landing) this.#landing = undefined
    const writes = this.#closing ? [] : [...this.#writing.keys()]
    if (writes.length === 0) return
    const ages = [...this.#writing.values()].map((at) => performance.now() - at)
    const rest = Math.max(graceMs, settlingLimitMs - Math.min(...ages))
    await abortable(within(rest, Promise.allSettled(writes)), signal)
    for (const write of writes) this.#writing.delete(write)
  }

  /** Waits for abandoned writes with the lock held. */
  async #land(lease: AbortSignal): Promise<void> {
    const released = new Promise<void>((resolve) => {
      this.#release = resolve
      if (this.#closing) resolve()
    })
    const landed = Promise.race([Promise.allSettled(this.#writing.keys()), released])
    await within(landingLimitMs, landed, { keepsProcess: false })
    await this.#finish(lease)
  }

  #watched<T>(writing: Promise<T>): Promise<T> {
    this.#writing.set(writing, performance.now())
    const ended = () => this.#writing.delete(writing)
    writing.then(ended, ended)
    return writing
  }
}
