import { expect, test } from 'vitest'
import type { CredentialStore } from '../../src/index.ts'
import { memoryStore, storeContract } from '../../src/testing/index.ts'

/** What the contract says of a store in which something is wrong. */
async function verdicts(
  broken: (store: CredentialStore) => Partial<CredentialStore>,
): Promise<string[]> {
  const open = async () => {
    const store = memoryStore()
    return { ...store, ...broken(store) }
  }
  const found: string[] = []
  for (const { run } of storeContract({ open })) {
    await run().catch((error: Error) => found.push(error.message))
  }
  return found
}

test.each<[string, (store: CredentialStore) => Partial<CredentialStore>, RegExp]>([
  [
    '`get` resolves to null',
    (store) => ({ get: async (key) => (await store.get(key)) ?? (null as never) }),
    /`get` of a key without a record.*undefined.*null/,
  ],
  [
    '`delete` always says true',
    (store) => ({ delete: async (key) => (await store.delete(key)) || true }),
    /`delete` of a key without a record.*false.*true/,
  ],
  [
    '`lock` loses the result',
    (store) => ({
      lock: async (key, task, signal) => void (await store.lock(key, task, signal)) as never,
    }),
    /`lock`.*result of its task/,
  ],
  [
    '`lock` keeps nobody out',
    () => ({ lock: async (_key, task) => task(new AbortController().signal) }),
    /tasks inside `lock` of one key at the same time/,
  ],
  [
    '`lock` swallows the error of its task',
    (store) => ({
      lock: (key, task, signal) => store.lock(key, task, signal).catch(() => undefined as never),
    }),
    /`lock`.*throw the error of its task/,
  ],
  [
    '`set` takes any key',
    (store) => ({ set: async (key, record) => (key === '' ? undefined : store.set(key, record)) }),
    /`set` with an empty key must throw a StoreError/,
  ],
])('the contract of a store says that %s', async (_what, broken, message) => {
  expect(await verdicts(broken)).toContainEqual(expect.stringMatching(message))
})

test('the contract of a store finds nothing wrong with memoryStore()', async () => {
  expect(await verdicts(() => ({}))).toEqual([])
})
