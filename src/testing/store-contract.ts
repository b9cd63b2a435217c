/**
 * The requirements for every store, as cases for any test runner.
 *
 * @module
 */
import type { CredentialRecord, CredentialStore } from '../credential.ts'
import { isCredentialError } from '../errors.ts'
import { type ContractCase, check, equal } from './contract-case.ts'

const key = 'https://mcp.example.com/mcp | default'

/**
 * The contract of a {@link CredentialStore} as test cases.
 *
 * @param options.open - Opens an empty store, at a different location for each call.
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
 * @group Contracts
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
        equal(await store.get(key), undefined, '`get` of a key without a record')
        equal(await store.list(), [], '`list` of an empty store')
        equal(await store.delete(key), false, '`delete` of a key without a record')
      }),
    },
    {
      name: 'a record is read back unchanged, also by another process',
      run: on(async (store) => {
        const record = sample('first')
        await store.set(key, record)
        equal(await store.get(key), record, '`get` of what `set` has written')
        equal(await (await again(store)).get(key), record, '`get` of what another view has written')
        equal(await store.list(), [key], '`list` after one `set`')
      }),
    },
    {
      name: 'a record is replaced as a whole',
      run: on(async (store) => {
        await store.set(key, { ...sample('x'.repeat(5000)), issuer: 'https://login.example.com' })
        const next = sample('short')
        await store.set(key, next)
        equal(await (await again(store)).get(key), next, '`get` after a second `set`')
        equal(await store.list(), [key], '`list` after two `set` of one key')
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
          equal(
            (await other.get(each))?.data['accessToken'],
            `é🔑\u0000${index}`,
            `\`get\` of the key ${JSON.stringify(each)}`,
          )
        }
        equal([...(await other.list())].sort(), [...keys].sort(), '`list` of several keys')
      }),
    },
    ...[1, 2, 3, 10, 100, 1000].map((size) => ({
      name: `a record of ${size} KB comes back`,
      run: on(async (store) => {
        const record = sample('ä'.repeat(size * 512))
        await store.set(key, record)
        equal(await (await again(store)).get(key), record, `\`get\` of a record of ${size} KB`)
      }),
    })),
    {
      name: 'a deleted record is gone, and others stay',
      run: on(async (store) => {
        await store.set(key, sample('one'))
        await store.set(`${key} | tenant`, sample('two'))
        equal(await store.delete(key), true, '`delete` of a record')
        equal(await store.delete(key), false, '`delete` of a record that was deleted')
        const other = await again(store)
        equal(await other.get(key), undefined, '`get` of a record that was deleted')
        equal(await other.list(), [`${key} | tenant`], '`list` after the other record was deleted')
      }),
    },
    {
      name: 'changing the object that was stored or read does not change the record',
      run: on(async (store) => {
        const data: Record<string, unknown> = { accessToken: 'before' }
        await store.set(key, { version: 1, provider: 'contract', data })
        data['accessToken'] = 'after'
        const read = await store.get(key)
        equal(
          read?.data['accessToken'],
          'before',
          '`get` after the caller has changed the object that it gave to `set`',
        )
        ;(read?.data as Record<string, unknown>)['accessToken'] = 'after'
        equal(
          (await store.get(key))?.data['accessToken'],
          'before',
          '`get` after the caller has changed the object that an earlier `get` returned',
        )
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
        equal(most, 1, 'the most tasks inside `lock` of one key at the same time')
        equal(
          (await store.get(key))?.data['count'],
          12,
          'a counter that 12 tasks inside `lock` have each increased by one',
        )
      }),
    },
    {
      name: 'a lock returns the result of its task, and is released after a failure',
      run: on(async (store) => {
        equal(
          await store.lock(key, async () => 'result'),
          'result',
          '`lock` must return the result of its task',
        )
        const failure = new Error('the task failed')
        const thrown = await store
          .lock(key, () => Promise.reject(failure))
          .catch((error: unknown) => error)
        check(thrown === failure, '`lock` must throw the error of its task as it is.')
        equal(
          await store.lock(key, async () => 'again'),
          'again',
          '`lock` after a task that failed',
        )
      }),
    },
    {
      name: 'locks of different keys do not wait for each other',
      run: on(async (store) => {
        const result = await store.lock(key, () => store.lock(`${key} | other`, async () => 'both'))
        equal(result, 'both', '`lock` of one key inside `lock` of another')
      }),
    },
    {
      name: 'work that outlives its task may lock again, and write, after the task has ended',
      run: on(async (store) => {
        let end: () => void = () => {}
        const isOver = new Promise<void>((resolve) => {
          end = resolve
        })
        const left = await store.lock(key, async () => [
          isOver.then(() =>
            store.lock(key, async () => {
              await store.set(key, sample('later'))
              return 'again'
            }),
          ),
        ])
        end()
        equal(await left[0], 'again', '`lock` by work that a task left running')
        equal(
          await store.get(key),
          sample('later'),
          '`get` of what was written by work that a task left running',
        )
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
        check(thrown === reason, '`lock` must throw the reason of its signal when that aborts.')
        open()
        await holding
        equal(
          await store.lock(key, async () => 'free'),
          'free',
          '`lock` after a waiter has aborted',
        )
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
        equal(
          most,
          1,
          'the most tasks inside `lock` of one key at the same time, after a waiter has aborted',
        )
      }),
    },
    ...unwritable.map(([what, change]) => ({
      name: `a record with ${what} is refused, and the one before it stays`,
      run: on(async (store) => {
        await store.set(key, sample('before'))
        const record = { ...sample('after'), ...change } as CredentialRecord
        const thrown = await store.set(key, record).catch((error: unknown) => error)
        check(
          isCredentialError(thrown),
          `\`set\` of a record with ${what} must throw a StoreError.`,
        )
        equal(
          await (await again(store)).get(key),
          sample('before'),
          `\`get\` after \`set\` has refused a record with ${what}`,
        )
      }),
    })),
    {
      name: 'an invalid key is refused with a typed error',
      run: on(async (store) => {
        const thrown = await store.set('', sample('x')).catch((error: unknown) => error)
        check(isCredentialError(thrown), '`set` with an empty key must throw a StoreError.')
      }),
    },
  ]
}

/** Values that JSON silently changes, so that the record could not be read back. */
const unwritable: readonly (readonly [what: string, change: object])[] = [
  ['an expiry that JSON cannot represent', { expiresAt: Number.POSITIVE_INFINITY }],
  ['a time that is not a number', { obtainedAt: Number.NaN }],
  ['a number in its data that JSON cannot represent', { data: { claims: [{ exp: Infinity }] } }],
  ['an instance of a class in its data', { data: { at: new Date(0) } }],
  ['a member of the wrong type', { issuer: 7 }],
  ['a version that does not exist', { version: 2 }],
  ['no data', { data: undefined }],
]

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
