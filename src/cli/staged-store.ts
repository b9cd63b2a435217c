/**
 * A store that delays writes until a login has succeeded.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../index.ts'

/** A store with pending writes. */
export interface StagedStore extends CredentialStore {
  /** Writes all pending records to the underlying store. */
  finish(): Promise<void>
}

/**
 * Wraps a store. An aborted login stores nothing; a successful one replaces the record of the same server
 * and account.
 *
 * @param isReplaced - Whether the record of a key is treated as absent until it is written.
 */
export function stagedStore(
  store: CredentialStore,
  isReplaced: (key: string) => boolean,
): StagedStore {
  const staged = new Map<string, CredentialRecord | undefined>()
  return {
    async get(key) {
      if (staged.has(key)) return staged.get(key)
      return isReplaced(key) ? undefined : store.get(key)
    },
    async set(key, record) {
      staged.set(key, record)
    },
    async delete(key) {
      const existed = (await this.get(key)) !== undefined
      staged.set(key, undefined)
      return existed
    },
    list: () => store.list(),
    lock: (_key, task) => task(new AbortController().signal),
    async finish() {
      // Registrations are written first: without them the login could not be renewed.
      const keys = [...staged.keys()].sort(
        (one, other) => Number(isReplaced(one)) - Number(isReplaced(other)),
      )
      for (const key of keys) await write(store, key, staged.get(key))
      staged.clear()
    },
  }
}

async function write(
  store: CredentialStore,
  key: string,
  record: CredentialRecord | undefined,
): Promise<void> {
  await store.lock(key, async () => {
    if (record === undefined) {
      await store.delete(key)
      return
    }
    // A higher generation tells other processes that the record was replaced.
    const before = await store.get(key).catch(() => undefined)
    const generation = Math.max(before?.generation ?? 0, (record.generation ?? 1) - 1) + 1
    await store.set(key, record.generation === undefined ? record : { ...record, generation })
  })
}
