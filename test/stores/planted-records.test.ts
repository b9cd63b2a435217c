import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CredentialRecord } from '../../src/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'

const [oldKey, key] = ['a'.repeat(64), 'b'.repeat(64)]
const name = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: 'a' } }
const limit = 2_097_152

const nameInRedis = (of: string) =>
  `mcp-credentials:{${createHash('sha256').update(of).digest('hex').slice(0, 16)}}record:${of}`

/** A Redis with the commands of a store, which returns values in the types of the client's configuration. */
function fakeRedis({ shape = (text: string): unknown => text } = {}) {
  const values = new Map<string, string | readonly string[]>()
  let scans = 0
  const read = (at: string) => {
    const value = values.get(at) ?? ''
    if (typeof value !== 'string') throw new Error('WRONGTYPE Operation against a key')
    return value
  }
  const commands: Readonly<Record<string, (args: readonly string[]) => unknown>> = {
    GETRANGE: ([at = '', , end]) => shape(read(at).slice(0, Number(end) + 1)),
    SET([at = '', text = '']) {
      values.set(at, text)
      return shape('OK')
    },
    DEL: ([at = '']) => Number(values.delete(at)),
    INFO: () => shape('cluster_enabled:0'),
    SCAN() {
      scans += 1
      return [shape('0'), [...values.keys()].map(shape)]
    },
    EVAL([script = '', , at = '', lock, , text = '']) {
      if (script.includes(`'NX'`) || !script.includes('KEYS[2]')) return 1
      if (lock !== undefined) values.set(at, text)
      return 1
    },
  }
  const client = {
    isOpen: true,
    connect: async () => undefined,
    sendCommand: async ([command = '', ...args]: readonly string[]) => commands[command]?.(args),
  }
  return { client: client as never, values, scans: () => scans }
}

describe('in Redis, a value that is not a string', () => {
  test('is an unusable record, which a new login replaces', async () => {
    const { client, values } = fakeRedis()
    const store = redisStore({ client, key })
    values.set(nameInRedis(name), ['planted'])
    await expect(store.get(name)).rejects.toMatchObject({ reason: 'unusable_record' })
    await store.set(name, record)
    expect(await store.get(name)).toEqual(record)
  })

  test('does not prevent rekey() from encrypting the others', async () => {
    const { client, values } = fakeRedis()
    await redisStore({ client, key: oldKey }).set(name, record)
    const planted = 'https://a.example.com/mcp | default'
    values.set(nameInRedis(planted), ['planted'])
    const both = redisStore({ client, keys: [key, oldKey] })
    await expect(both.rekey()).rejects.toThrow('One record could not be re-encrypted')
    expect(await redisStore({ client, key }).get(name)).toEqual(record)
  })
})

describe('in PostgreSQL, a row', () => {
  const poolWith = (rows: readonly object[]) => ({
    connect: async () => ({
      query: async () => ({ rows, rowCount: rows.length }),
      release: () => {},
      on: () => undefined,
      removeListener: () => undefined,
    }),
  })

  test('whose key is not the key of a record is not listed', async () => {
    const pool = poolWith([{ key: 'line\nbreak' }, { key: '' }, { key: name }])
    expect(await postgresStore({ pool, key }).list()).toEqual([name])
  })

  test('that is too large is an unusable record', async () => {
    const pool = poolWith([{ envelope: null, oversized: true }])
    await expect(postgresStore({ pool, key }).get(name)).rejects.toMatchObject({
      reason: 'unusable_record',
      message: expect.stringContaining('larger than 2 MiB'),
    })
  })
})

describe('a record that is too large', () => {
  const unusable = {
    reason: 'unusable_record',
    message: expect.stringContaining('larger than 2 MiB'),
  }
  const large: CredentialRecord = { ...record, data: { accessToken: 'a'.repeat(limit) } }

  test('is not read completely from Redis', async () => {
    const { client, values } = fakeRedis()
    values.set(nameInRedis(name), 'x'.repeat(limit + 1))
    await expect(redisStore({ client, key }).get(name)).rejects.toMatchObject(unusable)
  })

  test('is not read from a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'planted-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    const file = (await readdir(directory)).find((each) => each.endsWith('.json')) ?? ''
    await truncate(join(directory, file), 2 * limit)
    await expect(store.get(name)).rejects.toMatchObject(unusable)
    await store.set(name, record)
    expect(await store.get(name)).toEqual(record)
  })

  test('is not written', async () => {
    const { client, values } = fakeRedis()
    const store = redisStore({ client, key })
    await expect(store.set(name, large)).rejects.toMatchObject({ name: 'StoreError' })
    expect(values.size).toBe(0)
  })

  test('is accepted just below the limit', async () => {
    const { client } = fakeRedis()
    const store = redisStore({ client, key })
    const wide = { ...record, data: { accessToken: randomBytes(800_000).toString('base64') } }
    await store.set(name, wide)
    expect(await store.get(name)).toEqual(wide)
  })
})

describe('a client of Redis that returns bytes', () => {
  test('finds and lists the stored records', async () => {
    const { client, scans } = fakeRedis({ shape: (text) => Buffer.from(text) })
    const store = redisStore({ client, key })
    await store.set(name, record)
    expect(await store.get(name)).toEqual(record)
    expect(await store.list()).toEqual([name])
    expect(scans()).toBe(1)
  })

  test('of an unknown kind is rejected, and hides no login', async () => {
    const { client } = fakeRedis({ shape: (text) => ({ text }) })
    const store = redisStore({ client, key })
    await expect(store.get(name)).rejects.toMatchObject({ option: 'redisStore.client' })
  })
})
