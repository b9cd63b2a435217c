/**
 * What every store must do, as cases that any test runner can run.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isCredentialError } from '../errors.ts'
import { type ContractCase, equal } from './contract-case.ts'

const key = 'https://mcp.example.com/mcp | default'

/**
 * The contract of a {@link CredentialStore} as test cases.
 *
 * @param options.open - Opens a store without records, at a place of its own for each call.
 * @param options.reopen - Opens the same records once more, as another process would. Without it the cases
 * that need a second view are run on one.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { memoryStore, storeContract } from 'mcp-credentials/testing'
 *
 * for (const { name, run } of storeContract({ open: async () => memoryStore() })) test(name, run)
 * ```
 */
export function storeContract(options: {
  readonly open: () => Promise<CredentialStore>
  readonly reopen?: (store: CredentialStore) => Promise<CredentialStore>
}): readonly ContractCase[] {
  const again = options.reopen ?? (async (store: CredentialStore) => store)
  const on =
    (check: (store: CredentialStore) => Promise<void>): (() => Promise<void>) =>
    async () =>
      check(await options.open())

  return [
    {
      name: 'an empty store has no records',
      run: on(async (store) => {
        equal(await store.get(key), undefined)
        equal(await store.list(), [])
        equal(await store.delete(key), false)
      }),
    },
    {
      name: 'a record is read back unchanged, also by another process',
      run: on(async (store) => {
        const record = sample('first')
        await store.set(key, record)
        equal(await store.get(key), record)
        equal(await (await again(store)).get(key), record)
        equal(await store.list(), [key])
      }),
    },
    {
      name: 'a record is replaced as a whole',
      run: on(async (store) => {
        await store.set(key, { ...sample('x'.repeat(5000)), issuer: 'https://login.example.com' })
        const next = sample('short')
        await store.set(key, next)
        equal(await (await again(store)).get(key), next)
        equal(await store.list(), [key])
      }),
    },
    {
      name: 'keys and values may hold any character',
      run: on(async (store) => {
        const keys = [
          'https://例え.example/日本 | ü | 🔑',
          'a/../b',
          'A',
          'a',
          'c:\\d',
          '%2e%2e',
          '\'"`$',
        ]
        for (const [index, each] of keys.entries())
          await store.set(each, sample(`é🔑\u0000${index}`))
        const other = await again(store)
        for (const [index, each] of keys.entries()) {
          equal((await other.get(each))?.data['accessToken'], `é🔑\u0000${index}`)
        }
        equal([...(await other.list())].sort(), [...keys].sort())
      }),
    },
    ...[1, 2, 3, 10, 100, 1000].map((size) => ({
      name: `a record of ${size} KB comes back`,
      run: on(async (store) => {
        const record = sample('ä'.repeat(size * 512))
        await store.set(key, record)
        equal(await (await again(store)).get(key), record)
      }),
    })),
    {
      name: 'a deleted record is gone, and others stay',
      run: on(async (store) => {
        await store.set(key, sample('one'))
        await store.set(`${key} | tenant`, sample('two'))
        equal(await store.delete(key), true)
        equal(await store.delete(key), false)
        const other = await again(store)
        equal(await other.get(key), undefined)
        equal(await other.list(), [`${key} | tenant`])
      }),
    },
    {
      name: 'a record does not change with the object that was stored or read',
      run: on(async (store) => {
        const data: Record<string, unknown> = { accessToken: 'before' }
        await store.set(key, { version: 1, provider: 'contract', data })
        data['accessToken'] = 'after'
        const read = await store.get(key)
        equal(read?.data['accessToken'], 'before')
        ;(read?.data as Record<string, unknown>)['accessToken'] = 'after'
        equal((await store.get(key))?.data['accessToken'], 'before')
      }),
    },
    {
      name: 'a lock runs one task at a time, and all of them in the end',
      run: on(async (store) => {
        const other = await again(store)
        let inside = 0
        let most = 0
        const enter = async (which: CredentialStore) =>
          which.lock(key, async () => {
            inside += 1
            most = Math.max(most, inside)
            const record = await which.get(key)
            const count = Number(record?.data['count'] ?? 0)
            await which.set(key, { version: 1, provider: 'contract', data: { count: count + 1 } })
            inside -= 1
          })
        await Promise.all(Array.from({ length: 12 }, (_v, n) => enter(n % 2 === 0 ? store : other)))
        equal(most, 1)
        equal((await store.get(key))?.data['count'], 12)
      }),
    },
    {
      name: 'a lock returns the result of its task, and is released after a failure',
      run: on(async (store) => {
        equal(await store.lock(key, async () => 'result'), 'result')
        const failure = new Error('the task failed')
        const thrown = await store
          .lock(key, () => Promise.reject(failure))
          .catch((error: unknown) => error)
        equal(thrown === failure, true)
        equal(await store.lock(key, async () => 'again'), 'again')
      }),
    },
    {
      name: 'locks of different keys do not wait for each other',
      run: on(async (store) => {
        const result = await store.lock(key, () => store.lock(`${key} | other`, async () => 'both'))
        equal(result, 'both')
      }),
    },
    {
      name: 'work that outlives its task may write and lock after the task has ended',
      run: on(async (store) => {
        let end: () => void = () => {}
        const isOver = new Promise<void>((resolve) => {
          end = resolve
        })
        const left = await store.lock(key, async () => [
          isOver.then(async () => {
            await store.set(key, sample('later'))
            return store.lock(key, async () => 'again')
          }),
        ])
        end()
        equal(await left[0], 'again')
        equal(await store.get(key), sample('later'))
      }),
    },
    {
      name: 'a waiter for a lock may abort, and rejects with its own reason',
      run: on(async (store) => {
        const controller = new AbortController()
        const reason = new Error('no time')
        let open: () => void = () => {}
        const gate = new Promise<void>((resolve) => {
          open = resolve
        })
        let entered: () => void = () => {}
        const isHeld = new Promise<void>((resolve) => {
          entered = resolve
        })
        const holding = store.lock(key, async () => {
          entered()
          await gate
        })
        await isHeld
        const waiting = (await again(store)).lock(key, async () => 'entered', controller.signal)
        controller.abort(reason)
        const thrown = await waiting.catch((error: unknown) => error)
        equal(thrown === reason, true)
        open()
        await holding
        equal(await store.lock(key, async () => 'free'), 'free')
      }),
    },
    {
      name: 'the last waiter that aborts does not let others in',
      run: on(async (store) => {
        const other = await again(store)
        let inside = 0
        let most = 0
        let open: () => void = () => {}
        const gate = new Promise<void>((resolve) => {
          open = resolve
        })
        const enter = (which: CredentialStore, entered: () => void = () => {}) =>
          which.lock(key, async () => {
            inside += 1
            most = Math.max(most, inside)
            entered()
            await gate
            inside -= 1
          })
        let holding: Promise<void> = Promise.resolve()
        await new Promise<void>((entered) => {
          holding = enter(store, entered)
        })
        const controller = new AbortController()
        const leaving = other.lock(key, async () => {}, controller.signal)
        controller.abort(new Error('no time'))
        await leaving.catch(() => {})
        const next = enter(other)
        // Long enough for a store in memory; a slower one has no way to let it in either.
        await new Promise((resolve) => setTimeout(resolve, 20))
        open()
        await Promise.all([holding, next])
        equal(most, 1)
      }),
    },
    {
      name: 'an invalid key is refused with a typed error',
      run: on(async (store) => {
        const thrown = await store.set('', sample('x')).catch((error: unknown) => error)
        equal(isCredentialError(thrown), true)
      }),
    },
  ]
}

function sample(accessToken: string): CredentialRecord {
  return {
    version: 1,
    provider: 'contract',
    generation: 3,
    obtainedAt: 1_700_000_000_000,
    expiresAt: 1_700_000_600_000,
    data: { accessToken, nested: { list: [1, 'two', null, true] } },
  }
}
