/**
 * Wraps the application's store, to check the records that it returns and to replace foreign errors, whose
 * messages may quote a secret.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isCredentialRecord, recordProblem } from '../credential-record.ts'
import { describeThrown, isCredentialError, StoreError, type StoreOperation } from '../errors.ts'

/**
 * Wraps a store. Errors of its methods become a {@link StoreError}, except errors of this library and those
 * of the task inside `lock`. Once the task has begun, `lock` settles as the task does: its result may contain
 * a rotated token that cannot be obtained again.
 */
export function guardStore(store: CredentialStore): CredentialStore {
  return {
    async get(key) {
      const record = await guarded('get', () => store.get(key))
      if (record === undefined || isCredentialRecord(record)) return record
      throw new StoreError('get', "The store's `get` returned a value that is not a record.", {
        reason: 'unusable_record',
        remedy: 'Return the record that was passed to `set`, or `undefined` when there is none.',
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
        remedy: 'Wait for the lock, and then return `task(signal)`.',
      })
    },
  }
}

/** The application's store may write JSON, which silently changes values that it cannot represent. */
function checkRecord(record: CredentialRecord): void {
  const problem = recordProblem(record)
  if (problem === undefined) return
  throw new StoreError('set', `The provider's record cannot be stored: ${problem}.`, {
    remedy: 'Nothing was written. Return a record of JSON values from the provider.',
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
      {
        retryable: true,
        remedy: 'Correct the store, or throw a StoreError there to give details.',
      },
    )
  }
}
