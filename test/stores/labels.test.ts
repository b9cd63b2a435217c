import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { CredentialRecord, CredentialStore } from '../../src/credential.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { keychainStore } from '../../src/stores/keychain.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'

type RedisClient = NonNullable<Parameters<typeof redisStore>[0]['client']>

const capability = 'NmE0ZjY1Zjk4ZDc3'
const key = `https://mcp.example.com/s/${capability}/mcp | default`
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: 'a' } }
const secret = Buffer.alloc(32, 1).toString('base64')

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'store-labels-'))
  onTestFinished(() => rm(directory, { recursive: true }))
})

async function expectLabel(work: Promise<unknown>): Promise<void> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toMatchObject({ name: 'StoreError' })
  const text = inspect(error, { showHidden: true })
  expect(text).toMatch(/NmE0(…|_)/)
  expect(text).not.toContain(capability)
}

const lockedTwice = (store: CredentialStore) =>
  store.lock(key, () => store.lock(key, async () => undefined))

describe('a store with a capability URL as the key of a record shortens it in its errors:', () => {
  test('encryptedFileStore', async () => {
    const store = encryptedFileStore({ key: secret, directory })
    await store.set(key, record)
    const other = encryptedFileStore({ key: Buffer.alloc(32, 2).toString('base64'), directory })
    await expectLabel(other.get(key))
    await expectLabel(lockedTwice(store))
    const [file = ''] = readdirSync(directory).filter((entry) => entry.endsWith('.json'))
    expect(file).not.toContain(capability)
    const path = join(directory, file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace(key, `${key}x`))
    await expectLabel(store.get(key))
    writeFileSync(path, 'no JSON')
    await expectLabel(store.get(key))
  })

  test('keychainStore', async () => {
    const entries = new Map<string, string>()
    const store = keychainStore({
      service: 'test',
      directory,
      backend: {
        getPassword: async (_service, account) => entries.get(account) ?? null,
        setPassword: async (_service, account, password) => void entries.set(account, password),
        deletePassword: async (_service, account) => entries.delete(account),
        findCredentials: async () =>
          [...entries].map(([account, password]) => ({ account, password })),
      },
    })
    for (const text of ['{}', '{"version":2}', '{"parts":2,"id":"x"}']) {
      entries.set(key, text)
      await expectLabel(store.get(key))
    }
    await expectLabel(lockedTwice(store))
  })

  test('postgresStore', async () => {
    const poolWith = (row: object) => ({
      connect: async () => ({
        query: async () => ({ rows: [row], rowCount: 1 }),
        release: () => {},
        on: () => undefined,
        removeListener: () => undefined,
      }),
    })
    const busy = postgresStore({
      pool: poolWith({ locked: false }),
      key: secret,
      lockTimeout: 0.01,
    })
    await expectLabel(busy.lock(key, async () => undefined))
    const free = postgresStore({ pool: poolWith({ locked: true, envelope: '{}' }), key: secret })
    await expectLabel(lockedTwice(free))
    await expectLabel(free.get(key))
  })

  test('redisStore', async () => {
    const client: RedisClient = {
      isOpen: true,
      connect: async () => undefined,
      sendCommand: async () => 0,
      on: () => undefined,
    } as RedisClient
    const options = { client, key: secret, lockTimeout: 0.01 }
    await expectLabel(redisStore(options).lock(key, async () => undefined))
    const lent = { ...client, sendCommand: async () => 1 } as RedisClient
    await expectLabel(lockedTwice(redisStore({ ...options, client: lent })))
  })
})

test('two capability URLs of one server have separate records', async () => {
  const store = encryptedFileStore({ key: secret, directory })
  const other = key.replace(capability, `${capability}8`)
  await store.set(key, record)
  await store.set(other, { ...record, data: { accessToken: 'b' } })
  expect(await store.list()).toEqual([key, other].sort())
  expect((await store.get(key))?.data).toEqual({ accessToken: 'a' })
})
