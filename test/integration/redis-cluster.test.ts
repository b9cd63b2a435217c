import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { CredentialRecord } from 'mcp-credentials'
import { type RedisStoreOptions, redisStore } from 'mcp-credentials/redis'
import { storeContract } from 'mcp-credentials/testing'
import { createClient, createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { command, type RedisCluster, redisCluster } from '../support/redis-cluster.ts'

const key = randomBytes(32).toString('base64url')
const name = 'https://mcp.example.com/mcp | default'
const recordOf = (accessToken: string): CredentialRecord => ({
  version: 1,
  provider: 'test',
  data: { accessToken },
})

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await redisCluster()
})
afterAll(() => cluster.remove())

let count = 0
const nextPrefix = () => {
  count += 1
  return `test-${count}:`
}
const url = () => cluster.masters[count % cluster.masters.length]?.url ?? ''

/** A client of the application's for the whole cluster. */
async function clusterClient() {
  const client = createCluster({
    rootNodes: cluster.masters.map((master) => ({ url: master.url })),
  })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.destroy())
  return client
}

/** The keys of a prefix in the whole cluster. */
async function keysOf(prefix: string): Promise<string[]> {
  const found = await Promise.all(
    cluster.masters.map((each) => command(each.url, 'KEYS', `${prefix}*`)),
  )
  return (found as string[][]).flat()
}

describe.each([
  ['the URL of one node', (prefix: string) => redisStore({ url: url(), key, prefix })],
  [
    'a prefix with a hash tag',
    (prefix: string) => redisStore({ url: url(), key, prefix: `{${prefix}}` }),
  ],
] as const)('the contract, with %s', (_what, make) => {
  const places = new WeakMap<object, string>()
  const open = (place: string) => {
    const store = make(place)
    places.set(store, place)
    return store
  }
  const cases = storeContract({
    open: async () => open(nextPrefix()),
    reopen: async (store) => open(places.get(store) ?? ''),
  })
  for (const each of cases) test(each.name, each.run)
})

describe('a cluster', () => {
  test('is used through a cluster client of the application', async () => {
    const prefix = nextPrefix()
    const store = redisStore({ client: await clusterClient(), key, prefix })
    const names = Array.from({ length: 20 }, (_value, index) => `${name} ${index}`)
    for (const each of names) {
      await store.lock(each, () => store.set(each, recordOf(each)))
    }
    expect(await store.list()).toEqual([...names].sort())
    expect(await redisStore({ url: url(), key, prefix }).get(`${name} 7`)).toEqual(
      recordOf(`${name} 7`),
    )
    expect(await store.delete(`${name} 7`)).toBe(true)
  })

  test('spreads its records, which rekey() finds on all nodes', async () => {
    const prefix = nextPrefix()
    const old = redisStore({ url: url(), key, prefix })
    const names = Array.from({ length: 20 }, (_value, index) => `${name} ${index}`)
    for (const each of names) await old.set(each, recordOf(each))
    const used = await Promise.all(
      cluster.masters.map(async (each) => command(each.url, 'KEYS', `${prefix}*`)),
    )
    expect(used.every((keys) => (keys as string[]).length > 0)).toBe(true)
    const next = randomBytes(32).toString('base64url')
    const both = redisStore({ url: url(), keys: [next, key], prefix })
    expect(await both.rekey()).toBe(20)
    expect(await both.rekey()).toBe(0)
    expect(await redisStore({ url: url(), key: next, prefix }).get(`${name} 3`)).toEqual(
      recordOf(`${name} 3`),
    )
  })

  test('says what to pass when a client for a single server is given', async () => {
    const client = createClient({ url: url() })
    client.on('error', () => {})
    onTestFinished(() => client.destroy())
    const store = redisStore({ client, key, prefix: nextPrefix() })
    const results = await Promise.allSettled(
      Array.from({ length: 8 }, (_value, index) => store.get(`${name} ${index}`)),
    )
    const errors = results.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    expect(errors.length).toBeGreaterThan(0)
    for (const error of errors) {
      expect(error).toMatchObject({
        name: 'StoreError',
        retryable: false,
        message: expect.stringContaining('createCluster'),
      })
    }
  })

  test('keeps no process alive', async () => {
    const script = `
      import { redisStore } from 'mcp-credentials/redis'
      const store = redisStore({ url: '${url()}', key: '${key}', prefix: '${nextPrefix()}' })
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await store.lock(name, () => store.get(name))
      console.log('done')
    `
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: new URL('../..', import.meta.url),
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(output.trim()).toBe('done')
  })
})

describe('a failover to a replica', () => {
  /** A record's own shard with a replica, in a cluster of its own. */
  async function failover(options: Partial<RedisStoreOptions> = {}) {
    const own = await redisCluster()
    onTestFinished(() => own.remove())
    const [first] = own.masters
    const open = (more: object = {}) =>
      redisStore({
        url: first?.url ?? '',
        key,
        timeout: 20,
        lease: 30,
        ...options,
        ...more,
      } as RedisStoreOptions)
    // Found by what the store writes, so that this holds whatever its keys look like.
    let held: string | undefined
    // The root node stays: another shard is failed over.
    for (let index = 0; held === undefined; index += 1) {
      const candidate = `${name} ${index}`
      await redisStore({ url: first?.url ?? '', key }).set(candidate, recordOf('before'))
      const isElsewhere = ((await command(first?.url ?? '', 'KEYS', '*')) as string[]).every(
        (each) => !each.endsWith(candidate),
      )
      if (isElsewhere) held = candidate
    }
    const at = held
    const keys = await Promise.all(own.masters.map((each) => command(each.url, 'KEYS', '*')))
    const index = keys.findIndex((found) => (found as string[]).some((each) => each.endsWith(at)))
    const master = own.masters[index]
    if (master === undefined) throw new Error('the record is nowhere')
    const replica = await own.replicaOf(master)
    return { own, open, at, master, replica }
  }

  test('loses nothing that has reached the replica, and the store goes on', async () => {
    const { own, open, at, master, replica } = await failover()
    const store = open()
    await store.lock(at, () => store.set(at, recordOf('replicated')))
    await own.caughtUp(replica, master)
    await master.kill()
    await own.promoted(replica)
    expect(await store.get(at)).toEqual(recordOf('replicated'))
    await store.lock(at, () => store.set(at, recordOf('after')))
    expect(await open().get(at)).toEqual(recordOf('after'))
  })

  test('that loses a lease is noticed: its holder writes nothing more', async () => {
    const { own, open, at, master, replica } = await failover({ lease: 12 })
    const store = open()
    replica.suspend()
    // What is written from now on does not even wait for it.
    await command(master.url, 'CLIENT', 'KILL', 'TYPE', 'replica')
    const outcome = await store.lock(at, async (signal) => {
      await master.kill()
      replica.wake()
      await own.promoted(replica)
      // The replica has never heard of the lock.
      const other = open()
      await other.lock(at, () => other.set(at, recordOf('other')))
      const refusal = await store.set(at, recordOf('late')).catch((error: unknown) => error)
      await expect.poll(() => signal.aborted, { timeout: 15_000 }).toBe(true)
      return [refusal, signal.reason]
    })
    for (const error of outcome) {
      expect(error).toMatchObject({
        name: 'StoreError',
        message: expect.stringContaining('was lost'),
      })
    }
    expect(await open().get(at)).toEqual(recordOf('other'))
  })

  test('hands no lock out twice where `replicas` must have it first', async () => {
    const { own, open, at, master, replica } = await failover({ replicas: 1 })
    const store = open()
    const other = open({ lockTimeout: 0.5 })
    await store.lock(at, async (signal) => {
      await store.set(at, recordOf('kept'))
      await master.kill()
      await own.promoted(replica)
      await expect(other.lock(at, async () => 'entered')).rejects.toMatchObject({
        code: 'lock_timeout',
      })
      expect(await other.get(at)).toEqual(recordOf('kept'))
      expect(signal.aborted).toBe(false)
    })
  })

  test('cannot lose what `replicas` must have: without them nothing is locked or written', async () => {
    const { open, at, replica } = await failover({ replicas: 1, timeout: 0.5, lockTimeout: 0.5 })
    const store = open()
    replica.suspend()
    for (const work of [
      () => store.set(at, recordOf('lost')),
      () => store.lock(at, async () => 'entered'),
    ]) {
      await expect(work()).rejects.toMatchObject({
        name: 'StoreError',
        retryable: true,
        message: expect.stringContaining('0 of 1 replicas'),
      })
    }
    replica.wake()
    await expect
      .poll(() => store.lock(at, async () => 'entered').catch(() => 'not yet'), { timeout: 20_000 })
      .toBe('entered')
  })
})

test('a prefix that splits a record from its lock is refused', () => {
  expect(() => redisStore({ url: 'redis://127.0.0.1', key, prefix: 'app{}:' })).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', option: 'redisStore.prefix' }),
  )
})

test('no key of a lock or a record needs more than one slot', async () => {
  const prefix = nextPrefix()
  const store = redisStore({ url: url(), key, prefix })
  await store.lock('a}b{c', async () => {
    await store.set('a}b{c', recordOf('x'))
    const keys = await keysOf(prefix)
    const slots = await Promise.all(keys.map((each) => command(url(), 'CLUSTER', 'KEYSLOT', each)))
    expect(keys).toHaveLength(2)
    expect(new Set(slots).size).toBe(1)
  })
})
