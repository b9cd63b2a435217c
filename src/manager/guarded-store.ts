/**
 * A store of the application, so that nothing foreign comes out of it: neither errors, whose text may
 * quote a secret, nor values that are no records.
 *
 * @module
 */
import type { CredentialStore } from '../credential.ts'
import { describeThrown, isCredentialError, StoreError, type StoreOperation } from '../errors.ts'

/**
 * Wraps a store. Whatever its methods throw becomes a {@link StoreError}, except errors of this library and
 * those of the task inside `lock`. Once the task has begun, its own outcome is that of `lock`: it may hold a
 * grant that nothing can bring back.
 */
export function guardStore(store: CredentialStore): CredentialStore {
  return {
    async get(key) {
      const record = await guarded('get', () => store.get(key))
      if (record === undefined || isRecord(record)) return record
      throw new StoreError('get', "The store's `get` returned something that is no record.", {
        remedy: 'Let it return what `set` was given, or `undefined` where there is nothing.',
      })
    },
    set: (key, record) => guarded('set', () => store.set(key, record)),
    delete: (key) => guarded('delete', () => store.delete(key)),
    list: () => guarded('list', () => store.list()),
    async lock(key, task, signal) {
      let running: ReturnType<typeof task> | undefined
      const once = (lost: AbortSignal) => {
        running ??= task(lost)
        return running
      }
      try {
        await guarded('lock', () => store.lock(key, once, signal))
      } catch (error) {
        if (running === undefined) throw signal?.aborted === true ? signal.reason : error
      }
      if (running !== undefined) return running
      throw new StoreError('lock', "The store's `lock` did not run the task.", {
        remedy: 'Let it wait for the lock, and then return `task(signal)`.',
      })
    },
  }
}

async function guarded<T>(operation: StoreOperation, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    if (isCredentialError(thrown)) throw thrown
    throw new StoreError(
      operation,
      `The store's \`${operation}\` failed (${describeThrown(thrown)}).`,
      { retryable: true, remedy: 'Correct the store, or throw a StoreError in it to say more.' },
    )
  }
}

function isRecord(value: unknown): boolean {
  const { version, provider, data } = (value ?? {}) as Readonly<Record<string, unknown>>
  const isData = typeof data === 'object' && data !== null
  return version === 1 && typeof provider === 'string' && isData
}
