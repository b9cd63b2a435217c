/**
 * A store that holds back what is written until a login has succeeded.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../index.ts'

/** What a login writes, before it is finished. */
export interface StagedStore extends CredentialStore {
  /** Writes it all into the store beneath. */
  finish(): Promise<void>
}

/**
 * Makes a store on top of another one. A login that is given up leaves nothing behind, and one that succeeds replaces
 * what was stored for the same server and account.
 *
 * @param isReplaced - Says which keys are to be seen as absent until they are written anew.
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
      // What a login needs besides comes first: without it the login could not be renewed.
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
    // Processes that have the earlier record notice that this is another one.
    const before = await store.get(key).catch(() => undefined)
    const generation = Math.max(before?.generation ?? 0, (record.generation ?? 1) - 1) + 1
    await store.set(key, record.generation === undefined ? record : { ...record, generation })
  })
}
