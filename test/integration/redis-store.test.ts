import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { type CredentialRecord, withCredentials } from 'mcp-credentials'
import { generateKey, type RedisStoreOptions, redisStore } from 'mcp-credentials/redis'
import { storeContract } from 'mcp-credentials/testing'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startJudge, startWorker } from '../support/fleet.ts'
import { fleetCases } from '../support/fleet-cases.ts'
import { checkLateWrites } from '../support/late-writes.ts'
import { freePort, type RedisServer, redisServer } from '../support/redis-server.ts'

const key = randomBytes(32).toString('base64')
const name = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = {
  version: 1,
  provider: 'test',
  data: { accessToken: 'a-token-that-nobody-may-read' },
}

let redis: RedisServer
beforeAll(async () => {
  redis = await redisServer()
  await redis.start()
})
afterAll(() => redis.remove())

let count = 0
const prefix = () => {
  count += 1
  return `test-${count}:`
}

describe('the contract', () => {
  const places = new WeakMap<object, string>()
  const open = (place: string) => {
    const store = redisStore({ url: redis.url, key, prefix: place })
    places.set(store, place)
    return store
  }
  const cases = storeContract({
    open: async () => open(prefix()),
    reopen: async (store) => open(places.get(store) ?? ''),
  })
  for (const each of cases) test(each.name, each.run)

  test('holds with a client of the caller’s', async () => {
    const client = createClient({ url: redis.url })
    client.on('error', () => {})
    await client.connect()
    onTestFinished(() => client.close())
    const store = redisStore({ client, key, prefix: prefix() })
    await store.set(name, record)
    expect(await store.get(name)).toEqual(record)
  })
})

describe('a lease', () => {
  test('that was lost lets its holder write nothing', async () => {
    const place = prefix()
    const slow = redisStore({ url: redis.url, key, prefix: place, lease: 0.3 })
    const other = redisStore({ url: redis.url, key, prefix: place, lease: 10 })
    const client = createClient({ url: redis.url })
    await client.connect()
    onTestFinished(() => client.close())
    const refusal = await slow.lock(name, async (signal) => {
      // As after a suspension: the lease has run out, and another process has the lock.
      const locks = await client.keys(`${place}*lock:*`)
      expect(locks).toHaveLength(1)
      await client.del(locks)
      await other.lock(name, () => other.set(name, record))
      const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve))
      const late = { ...record, data: { accessToken: 'late' } }
      const thrown = await slow.set(name, late).catch((error: unknown) => error)
      const undeletable = await slow.delete(name).catch((error: unknown) => error)
      await aborted
      return [thrown, undeletable, signal.reason]
    })
    for (const error of refusal) {
      expect(error).toMatchObject({
        name: 'StoreError',
        message: expect.stringContaining('was lost'),
      })
    }
    expect(await other.get(name)).toEqual(record)
  })

  test('that has ended lets nothing be written that was begun under it', async () => {
    const place = prefix()
    await checkLateWrites(key, (own) => redisStore({ url: redis.url, key: own, prefix: place }))
  })

  test('is renewed while its task runs', async () => {
    const place = prefix()
    const one = redisStore({ url: redis.url, key, prefix: place, lease: 0.3 })
    const two = redisStore({ url: redis.url, key, prefix: place, lease: 0.3, lockTimeout: 0.6 })
    await one.lock(name, async (signal) => {
      await expect(two.lock(name, async () => {})).rejects.toMatchObject({ code: 'lock_timeout' })
      expect(signal.aborted).toBe(false)
    })
  })
})

describe('Redis that is gone', () => {
  test('keeps no process alive', async () => {
    const own = await redisServer()
    await own.start()
    onTestFinished(() => own.remove())
    const script = `
      import { redisStore } from 'mcp-credentials/redis'
      const store = redisStore({ url: '${own.url}', key: '${'a'.repeat(64)}', timeout: 3 })
      await store.get('x')
      process.kill(${own.pid()}, 'SIGKILL')
      const error = await store.get('x').catch((thrown) => thrown)
      console.log(error.name)
    `
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: new URL('../..', import.meta.url),
      encoding: 'utf8',
      // Whatever kept it alive would do so for ever.
      timeout: 20_000,
    })
    expect(output.trim()).toBe('StoreError')
  })

  test('is named, without its password, within the time', async () => {
    const url = `redis://:pa55word@127.0.0.1:${await freePort()}`
    const store = redisStore({ url, key, timeout: 0.3 })
    const error = await store.get(name).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'StoreError', retryable: true })
    expect(String(error)).toContain(
      `Redis at ${new URL(url).host} cannot be reached (ECONNREFUSED)`,
    )
    expect(String(error)).not.toContain('pa55word')
  })

  test('and comes back within seconds costs nothing: what was acknowledged is there', async () => {
    const own = await redisServer()
    await own.start()
    onTestFinished(() => own.remove())
    const store = redisStore({ url: own.url, key, timeout: 10 })
    await store.set(name, record)
    await own.kill()
    const writing = store.set(`${name} 2`, record)
    await own.start()
    await writing
    expect(await store.get(name)).toEqual(record)
    expect(await store.get(`${name} 2`)).toEqual(record)
  })

  test('does not touch callers whose token is still valid, and the rotation goes on afterwards', async () => {
    const own = await redisServer()
    await own.start()
    onTestFinished(() => own.remove())
    const options = { url: own.url, key, timeout: 10, lease: 2 }
    const judge = await startJudge(4)
    await redisStore(options).set(`${judge.url} | default`, judge.login())
    const workers = [1, 2].map(() => startWorker(judge.url, { store: 'redis', options }))
    await Promise.all(workers.map((worker) => worker.next()))
    for (let round = 0; round < 2; round += 1) {
      await own.kill()
      await new Promise((resolve) => setTimeout(resolve, 800))
      await own.start()
      await new Promise((resolve) => setTimeout(resolve, 4000))
    }
    await Promise.all(workers.map((worker) => worker.stop()))
    expect(judge.revoked).toBe(false)
    const outcomes = workers.flatMap((worker) => worker.outcomes)
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
    expect(judge.uses.size).toBeGreaterThan(1)
  })
})

test('neither the dump nor the log of Redis shows a token', async () => {
  const place = prefix()
  const store = redisStore({ url: redis.url, key, prefix: place })
  await store.set(name, record)
  const client = createClient({ url: redis.url })
  await client.connect()
  onTestFinished(() => client.close())
  await client.sendCommand(['SAVE'])
  const everything = execFileSync('sh', ['-c', `cat $(find ${redis.folder} -type f)`], {
    encoding: 'latin1',
    maxBuffer: 1e9,
  })
  expect(everything).toContain('mcp.example.com')
  expect(everything).not.toContain('a-token-that-nobody-may-read')
})

test.each([
  [{ key }, 'url'],
  [{ url: 'http://x', key }, 'url'],
  [{ url: 'redis://localhost' }, 'key'],
  [{ url: 'redis://localhost', key, lease: -1 }, 'lease'],
  [{ url: 'redis://localhost', key, ttl: 1 }, 'ttl'],
  [{ url: 'redis://localhost', key, replicas: 0.5 }, 'replicas'],
  [{ url: 'redis://redis.internal:6379', key }, 'url'],
  [{ client: createClient({ url: 'redis://redis.internal:6379' }), key }, 'client'],
  [
    { client: createCluster({ rootNodes: [{ url: 'redis://redis.internal:6379' }] }), key },
    'client',
  ],
  [{ client: {}, key }, 'client'],
])('%j is refused at construction', (options, option) => {
  expect(() => redisStore(options as never)).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', option: `redisStore.${option}` }),
  )
})

test.each([
  { url: 'rediss://redis.internal:6379' },
  { url: 'redis://[::1]:6379' },
  { url: 'redis://127.0.0.1:6379' },
  { url: 'redis://redis.internal:6379', allowInsecure: true },
  { client: createClient() },
  { client: createClient({ url: 'rediss://redis.internal:6379' }) },
  { client: createClient({ socket: { path: '/run/redis.sock', tls: false } }) },
  {
    client: createCluster({
      rootNodes: [{ url: 'rediss://redis.internal:6379' }],
      defaults: { socket: { tls: true } },
    }),
  },
])('an encrypted connection, or one that was allowed, is accepted (%#)', (options) => {
  expect(() => redisStore({ ...options, key } as RedisStoreOptions)).not.toThrow()
})

test('a record that is put in the place of another, or under another prefix, does not open', async () => {
  const [one, two] = [prefix(), prefix()]
  const store = redisStore({ url: redis.url, key, prefix: one })
  const other = redisStore({ url: redis.url, key, prefix: two })
  await store.set(name, record)
  await store.set(`${name} 2`, record)
  await other.set(name, record)
  const client = createClient({ url: redis.url })
  await client.connect()
  onTestFinished(() => client.close())
  const nameOf = async (place: string, end: string) =>
    (await client.keys(`${place}*record:*`)).find((each) => each.endsWith(end)) ?? ''
  await client.copy(await nameOf(one, ' default'), await nameOf(two, ' default'), { REPLACE: true })
  await client.copy(await nameOf(one, ' default'), await nameOf(one, ' 2'), { REPLACE: true })
  await expect(other.get(name)).rejects.toMatchObject({ reason: 'unusable_record' })
  await expect(store.get(`${name} 2`)).rejects.toMatchObject({ reason: 'unusable_record' })
  expect(await store.get(name)).toEqual(record)
})

test('foreign keys of the same prefix do not stop `list`, and rekey() leaves them alone', async () => {
  const place = prefix()
  const store = redisStore({ url: redis.url, key, prefix: place })
  await store.set(name, record)
  const client = createClient({ url: redis.url })
  await client.connect()
  onTestFinished(() => client.close())
  await client.set(`${place}{0123456789abcdef}record:${name}`, 'foreign')
  await client.lPush(`${place}record:list`, 'foreign')
  expect(await store.list()).toEqual([name])
  const both = redisStore({ url: redis.url, keys: [generateKey(), key], prefix: place })
  expect(await both.rekey()).toBe(1)
  expect(await both.get(name)).toEqual(record)
})

test('an API key needs no store, and touches none', async () => {
  const { apiKey } = await import('mcp-credentials')
  const store = redisStore({ url: `redis://127.0.0.1:${await freePort()}`, key })
  const send = withCredentials(apiKey({ value: 'k' }), {
    store,
    fetch: async () => new Response(null, { status: 200 }),
  }).fetch
  expect((await send('https://mcp.example.com/mcp')).status).toBe(200)
})

fleetCases(async () => {
  const options = { url: redis.url, key, prefix: prefix(), lockTimeout: 3 }
  return { setting: { store: 'redis', options }, store: redisStore(options) }
})
