/**
 * A store in memory.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { StoreError } from '../errors.ts'
import { checkKey, parseRecord, serializeRecord } from './record.ts'

/**
 * Stores records in memory, for tests of several managers that share one login, and of later starts with
 * stored records.
 *
 * @example
 * ```ts
 * import { authorizedFetch, type CredentialProvider } from 'mcp-credentials'
 * import { memoryStore } from 'mcp-credentials/testing'
 *
 * declare const provider: CredentialProvider
 * const store = memoryStore()
 * const resource = 'https://mcp.example.com/mcp'
 * const one = authorizedFetch(provider, { resource, store })
 * const two = authorizedFetch(provider, { resource, store })
 * ```
 * @group Store in memory
 */
export function memoryStore(): CredentialStore {
  const records = new Map<string, string>()
  const tails = new Map<string, Promise<void>>()
  return {
    async get(key) {
      const text = records.get(key)
      return text === undefined ? undefined : parseRecord(key, text)
    },
    async set(key, record) {
      checkKey(key)
      records.set(key, serializeRecord(key, record))
    },
    async delete(key) {
      return records.delete(key)
    },
    async list() {
      return [...records.keys()]
    },
    async lock(key, task, signal) {
      const before = tails.get(key) ?? Promise.resolve()
      let release: () => void = () => {}
      const own = new Promise<void>((resolve) => {
        release = resolve
      })
      // In a Worker a promise rejects when the request that created it ends; its lock ends with it.
      const next = () => own
      const tail = before.then(next, next)
      tails.set(key, tail)
      // Not when this call ends: after an abort, earlier waiters remain, and new ones must queue after them.
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key)
      })
      try {
        await turn(before, signal)
        return await task(new AbortController().signal)
      } finally {
        release()
      }
    },
  }
}

const longestWaitMs = 15_000

/** Waits for the earlier tasks, but no longer than 15 seconds. */
function turn(before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const leave = () => settle(() => reject(signal?.reason))
    const timer = setTimeout(() => {
      const remedy =
        'A task inside `lock` must not lock the same key again, nor wait for user interaction.'
      const text = 'The lock of a record was not released within 15 s.'
      settle(() => reject(new StoreError('lock', text, { retryable: true, remedy })))
    }, longestWaitMs)
    const settle = (how: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', leave)
      how()
    }
    signal?.addEventListener('abort', leave, { once: true })
    const go = () => settle(resolve)
    before.then(go, go)
  })
}
