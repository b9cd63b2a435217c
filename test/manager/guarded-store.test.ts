import { describe, expect, test } from 'vitest'
import {
  authorizedFetch,
  type CredentialProvider,
  type CredentialRecord,
  type CredentialStore,
  StoreError,
  TokenManager,
} from '../../src/index.ts'
import { guardStore } from '../../src/manager/guarded-store.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'

const record: CredentialRecord = { version: 1, provider: 'own', data: { accessToken: 'a' } }
const secretText = 'secret-4711 in the message'

/** An application's own store, with some methods replaced. */
function own(methods: Partial<Record<keyof CredentialStore, unknown>>): CredentialStore {
  return guardStore({ ...memoryStore(), ...methods } as CredentialStore)
}

const fail = () => {
  throw new Error(secretText)
}
const reject = () => Promise.reject(Object.assign(new Error(secretText), { code: 'ECONNRESET' }))

const calls: Record<keyof CredentialStore, (store: CredentialStore) => Promise<unknown>> = {
  get: (store) => store.get('key'),
  set: (store) => store.set('key', record),
  delete: (store) => store.delete('key'),
  list: (store) => store.list(),
  lock: (store) => store.lock('key', async () => 'done'),
}

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no error',
    (error: unknown) => error,
  )
}

describe("an application's own store", () => {
  test.each(Object.entries(calls))(
    'whose `%s` throws a plain error is reported by its class',
    async (operation, call) => {
      const error = await errorOf(call(own({ [operation]: fail })))
      expect(error).toMatchObject({
        name: 'StoreError',
        operation,
        retryable: true,
        message: `The store's \`${operation}\` failed (Error). Correct the store, or throw a StoreError there to give details.`,
      })
    },
  )

  test.each(Object.entries(calls))(
    'whose `%s` rejects with a system error keeps its code',
    async (operation, call) => {
      const error = await errorOf(call(own({ [operation]: reject })))
      expect((error as Error).message).toContain(`\`${operation}\` failed (Error, ECONNRESET).`)
      expect((error as Error).message).not.toContain('secret')
    },
  )

  test('that throws a CredentialError is reported unchanged', async () => {
    const failure = new StoreError('get', 'The vault is sealed.')
    expect(await errorOf(own({ get: () => Promise.reject(failure) }).get('key'))).toBe(failure)
  })

  test.each([
    ['null', null],
    ['text', '{"version":1}'],
    ['a list', []],
    ['an object that is not a record', { accessToken: 'a' }],
    ['a record without data', { version: 1, provider: 'own', data: null }],
  ])('whose `get` resolves to %s is rejected', async (_what, value) => {
    expect(await errorOf(own({ get: async () => value }).get('key'))).toMatchObject({
      name: 'StoreError',
      operation: 'get',
      message: expect.stringMatching(/^The store's `get` .*record.*`undefined`/),
    })
  })

  test('whose `lock` never runs the task is rejected', async () => {
    expect(
      await errorOf(own({ lock: async () => undefined }).lock('key', async () => 1)),
    ).toMatchObject({
      name: 'StoreError',
      operation: 'lock',
      message: expect.stringContaining('did not run the task'),
    })
  })

  test.each([
    ['loses its result', async (_key: string, task: () => Promise<unknown>) => void (await task())],
    ['does not wait for it', async (_key: string, task: () => Promise<unknown>) => void task()],
    [
      'fails after it',
      async (_key: string, task: () => Promise<unknown>) => {
        await task()
        fail()
      },
    ],
    [
      'runs it twice',
      async (_key: string, task: () => Promise<unknown>) => {
        await task()
        return task()
      },
    ],
  ])('whose `lock` %s returns the result of the task, once', async (_what, lock) => {
    let runs = 0
    const task = async () => {
      runs += 1
      return `result ${runs}`
    }
    expect(await own({ lock }).lock('key', task)).toBe('result 1')
    expect(runs).toBe(1)
  })

  test.each([
    ['passes it on', (_key: string, task: () => Promise<unknown>) => task()],
    ['rewords it', (_key: string, task: () => Promise<unknown>) => task().catch(fail)],
    ['swallows it', (_key: string, task: () => Promise<unknown>) => task().catch(() => {})],
  ])('whose `lock` %s keeps the error of the task unchanged', async (_what, lock) => {
    const failure = new Error('the task failed')
    expect(await errorOf(own({ lock }).lock('key', () => Promise.reject(failure)))).toBe(failure)
  })

  test('whose `lock` is aborted by the caller reports the reason of the caller', async () => {
    const reason = new Error('no time')
    const signal = AbortSignal.abort(reason)
    expect(await errorOf(own({ lock: fail }).lock('key', async () => 1, signal))).toBe(reason)
  })

  test('passes the signal of a lost lock to the task', async () => {
    const { signal } = new AbortController()
    const lock = (_key: string, task: (lost: AbortSignal) => Promise<unknown>) => task(signal)
    expect(await own({ lock }).lock('key', async (lost) => lost)).toBe(signal)
  })
})

describe("a manager with an application's own store", () => {
  test('reports a failure before the grant is sent as a store error, and does not send the grant', async () => {
    const store = memoryStore()
    const uses: unknown[] = []
    const world = await oauthWorld({
      token: (params, count) => {
        uses.push(params.get('refresh_token'))
        return { body: tokenAnswer(count, { refresh_token: `refresh-${count}` }) }
      },
    })
    const clock = testClock()
    const provider = authorizationCode({ onAuthorizationUrl: (url: URL) => fetch(url) })
    const send = authorizedFetch(provider, { resource: world.url, store, now: clock.now })
    await send.login()
    clock.advance(3_700_000)
    store.set = () => Promise.reject(new Error(secretText))
    const used = uses.length
    expect(await errorOf(send(world.url))).toMatchObject({
      name: 'StoreError',
      code: 'store',
      operation: 'set',
      message: expect.stringContaining("The store's `set` failed (Error)."),
    })
    expect(uses.length).toBe(used)
  })

  test('also guards the records of a provider', async () => {
    const store = { ...memoryStore(), get: fail } as unknown as CredentialStore
    const provider: CredentialProvider = {
      name: 'own',
      acquire: async ({ records }) => {
        await records.get('registration')
        return { apply: () => {} }
      },
    }
    const manager = new TokenManager(provider, { resource: 'https://mcp.example.com/mcp', store })
    expect(await errorOf(manager.credential())).toMatchObject({
      name: 'StoreError',
      operation: 'get',
    })
  })
})
