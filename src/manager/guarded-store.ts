/**
 * A store of the application, so that nothing foreign comes out of it: neither errors, whose text may
 * quote a secret, nor values that are no records.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isCredentialRecord, recordProblem } from '../credential-record.ts'
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
      if (record === undefined || isCredentialRecord(record)) return record
      throw new StoreError('get', "The store's `get` returned something that is no record.", {
        reason: 'unusable_record',
        remedy: 'Let it return what `set` was given, or `undefined` where there is nothing.',
      })
    },
    async set(key, record) {
      checkRecord(record)
      return guarded('set', () => store.set(key, record))
    },
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

/** A store of the application's may write JSON, which changes what it cannot hold without a word. */
function checkRecord(record: CredentialRecord): void {
  const problem = recordProblem(record)
  if (problem === undefined) return
  throw new StoreError('set', `The provider's record cannot be stored: ${problem}.`, {
    remedy: 'Nothing was written. Let the provider return a record of JSON values.',
  })
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
