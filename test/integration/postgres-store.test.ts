import { execFileSync, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { CredentialRecord } from 'mcp-credentials'
import { type PostgresStoreOptions, postgresSchema, postgresStore } from 'mcp-credentials/postgres'
import { storeContract } from 'mcp-credentials/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startJudge, startWorker } from '../support/fleet.ts'
import { fleetCases } from '../support/fleet-cases.ts'
import { checkLateWrites } from '../support/late-writes.ts'
import {
  type PgBouncer,
  type PostgresServer,
  pgBouncer,
  poolOf,
  postgresServer,
} from '../support/postgres-server.ts'
import { freePort } from '../support/redis-server.ts'

const key = randomBytes(32).toString('base64')
const name = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = {
  version: 1,
  provider: 'test',
  data: { accessToken: 'a-token-that-nobody-may-read' },
}

let server: PostgresServer
let admin: pg.Pool
beforeAll(async () => {
  server = await postgresServer()
  await server.start()
  admin = new pg.Pool({ connectionString: server.url })
  admin.on('error', () => {})
})
afterAll(async () => {
  await admin.end()
  await server.remove()
})

let count = 0
const newTable = () => {
  count += 1
  return `test_${count}`
}

/** A store with a table of its own; further ones on the same table with `table`. */
function open(options: Partial<PostgresStoreOptions> = {}) {
  const { table = newTable(), pool = poolOf(server.url) } = options
  const all = { key, createTable: true, ...options, pool, table } as PostgresStoreOptions
  return Object.assign(postgresStore(all), { table })
}

const rowsOf = async (table: string) => (await admin.query(`SELECT * FROM ${table}`)).rows
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const isAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })

/** Ends the connections that hold advisory locks, as an administrator or a failover would. */
const endHolders = () =>
  admin.query(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()",
  )

test('a lock that has ended lets nothing be written that was begun under it', async () => {
  const table = newTable()
  await checkLateWrites(key, (own) => open({ table, key: own }))
})

describe('the contract', () => {
  const tables = new WeakMap<object, string>()
  const onTable = (table: string, max?: number) => {
    const store = open({ table, pool: poolOf(server.url, { max }) })
    tables.set(store, table)
    return store
  }
  describe.each([10, 1])('with a pool of %i', (max) => {
    const cases = storeContract({
      open: async () => onTable(newTable(), max),
      reopen: async (store) => onTable(tables.get(store) ?? '', max),
    })
    for (const each of cases) test(each.name, each.run)
  })
})

describe('the table', () => {
  test('is created by many processes at once, and again', async () => {
    const table = newTable()
    const stores = Array.from({ length: 8 }, () => open({ table, createTable: false }))
    await Promise.all(stores.map((store) => store.migrate()))
    await stores[0]?.migrate()
    await stores[0]?.set(name, record)
    expect(await stores[1]?.get(name)).toEqual(record)
  })

  test('that is missing is an error which says what to do, and is created only on request', async () => {
    const store = open({ createTable: false })
    const uses = [
      () => store.get(name),
      () => store.set(name, record),
      () => store.lock(name, async () => 1),
    ]
    for (const use of uses) {
      await expect(use()).rejects.toMatchObject({
        name: 'StoreError',
        code: 'store',
        retryable: false,
        retryAfter: 1,
        message: expect.stringMatching(/does not exist.*store\.migrate\(\)/),
      })
    }
    await store.migrate()
    expect(await store.lock(name, async () => 1)).toBe(1)
  })

  test('may lie in a schema, be named like a word of SQL, and be made by a tool of the application’s', async () => {
    await admin.query('CREATE SCHEMA logins')
    await admin.query(postgresSchema({ table: 'logins.user' }))
    const store = open({ table: 'logins.user', createTable: false })
    await store.lock(name, () => store.set(name, record))
    expect(await store.get(name)).toEqual(record)
  })

  test('is used by a role that may not create one', async () => {
    const table = newTable()
    await open({ table }).set(name, record)
    await admin.query(
      `CREATE ROLE limited LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ${table} TO limited`,
    )
    const url = server.url.replace('tester', 'limited')
    const store = open({ table, pool: poolOf(url) })
    expect(await store.lock(name, () => store.get(name))).toEqual(record)
    const other = open({ pool: poolOf(url) })
    await expect(other.get(name)).rejects.toThrow('SQLSTATE 42501')
  })

  test.each([
    'x"; DROP TABLE users; --',
    "x'",
    'X',
    'a.b.c',
    'a b',
    '',
    '1a',
    'a'.repeat(64),
    'a\n',
    7,
  ])('is not called %j', (table) => {
    const pool = { connect: () => Promise.reject(new Error('not to be used')) }
    const expected = expect.objectContaining({
      name: 'ConfigurationError',
      option: 'postgresStore.table',
    })
    expect(() => postgresStore({ pool, key, table: table as string })).toThrow(expected)
    expect(() => postgresSchema({ table: table as string })).toThrow('postgresSchema.table')
  })

  test('holds no token, and a row only where there is a record', async () => {
    const store = open()
    await store.lock(name, () => store.set(name, record))
    const [row] = await rowsOf(store.table)
    expect(row).toMatchObject({ key: name, fence: null, server: null })
    expect(row.key_id).toBe(JSON.parse(row.envelope).kid)
    expect(JSON.stringify(row)).not.toContain('nobody')
    await store.lock(name, () => store.delete(name))
    await store.lock(`${name} 2`, async () => {})
    await store.set(`${name} 3`, record)
    await store.delete(`${name} 3`)
    expect(await rowsOf(store.table)).toEqual([])
  })
})

test('neither the files nor the log of PostgreSQL show a token', async () => {
  const own = await postgresServer(['log_statement=all', 'log_min_messages=debug1'])
  await own.start()
  onTestFinished(() => own.remove())
  const pool = poolOf(own.url)
  const store = open({ pool })
  await store.lock(name, () => store.set(name, record))
  await pool.query('CHECKPOINT')
  const everything = execFileSync('sh', ['-c', `cat $(find ${own.folder}/data -type f)`], {
    encoding: 'latin1',
    maxBuffer: 1e9,
  })
  expect(everything).toContain('mcp.example.com')
  expect(everything).not.toContain('a-token-that-nobody-may-read')
})

describe('a record', () => {
  test('does not decrypt with another key, and is left as it is', async () => {
    const { table, set } = open()
    await set(name, record)
    const other = open({ table, key: randomBytes(32).toString('hex') })
    await expect(other.get(name)).rejects.toMatchObject({ name: 'StoreError', operation: 'get' })
    expect(await open({ table }).get(name)).toEqual(record)
  })

  test('does not decrypt in the row of another, nor in another table', async () => {
    const store = open()
    const other = open()
    await store.set(name, record)
    await store.set(`${name} 2`, record)
    await other.set(name, record)
    const [first] = await rowsOf(store.table)
    await admin.query(`UPDATE ${store.table} SET envelope = $1 WHERE key <> $2`, [
      first.envelope,
      name,
    ])
    await admin.query(`UPDATE ${other.table} SET envelope = $1`, [first.envelope])
    expect(await store.get(name)).toEqual(record)
    await expect(store.get(`${name} 2`)).rejects.toThrow('cannot be decrypted')
    await expect(other.get(name)).rejects.toThrow('cannot be decrypted')
  })

  test('moves to a new key, which its row names', async () => {
    const { table, ...old } = open()
    await old.set(name, record)
    const [before] = await rowsOf(table)
    const next = randomBytes(32).toString('hex')
    const both = open({ table, key: undefined, keys: [next, key] } as never)
    expect(await both.rekey()).toBe(1)
    expect(await both.rekey()).toBe(0)
    const [after] = await rowsOf(table)
    expect(after.key_id).not.toBe(before.key_id)
    expect(await open({ table, key: next }).get(name)).toEqual(record)
  })
})

describe('a lock', () => {
  test('whose connection is ended aborts its lease, is free at once, and refuses what its holder writes late', async () => {
    const { table, ...slow } = open()
    const other = open({ table })
    const refusals = await slow.lock(name, async (signal) => {
      await endHolders()
      const started = performance.now()
      await other.lock(name, () => other.set(name, record))
      expect(performance.now() - started).toBeLessThan(1500)
      await isAborted(signal)
      const late = { ...record, data: { accessToken: 'late' } }
      return [
        await slow.set(name, late).catch((error: unknown) => error),
        await slow.delete(name).catch((error: unknown) => error),
        signal.reason,
      ]
    })
    for (const error of refusals) {
      expect(error).toMatchObject({
        name: 'StoreError',
        retryable: true,
        message: expect.stringContaining('was lost'),
      })
    }
    expect(await other.get(name)).toEqual(record)
  })

  test('that was taken over refuses writes, although its holder has not noticed', async () => {
    const store = open()
    await store.lock(name, async (signal) => {
      await admin.query(`UPDATE ${store.table} SET fence = gen_random_uuid()`)
      await expect(store.set(name, record)).rejects.toThrow('was lost')
      await expect(store.delete(name)).rejects.toThrow('was lost')
      expect(signal.aborted).toBe(false)
    })
    expect(await store.get(name)).toBeUndefined()
  })

  test('is held while its task runs, for longer than the server waits for a sign of life', async () => {
    const { table, ...one } = open({ lease: 0.6 })
    const two = open({ table, lockTimeout: 2 })
    await one.lock(name, async (signal) => {
      await expect(two.lock(name, async () => {})).rejects.toMatchObject({ code: 'lock_timeout' })
      expect(signal.aborted).toBe(false)
    })
    expect(await two.lock(name, async () => 'free')).toBe('free')
  })

  test('is free at once when its holder is killed', async () => {
    const { table, ...store } = open()
    await store.migrate()
    const options = { name, kind: 'postgres', url: server.url, key, table }
    const holder = fork(
      new URL('../support/lock-holder.mjs', import.meta.url),
      [JSON.stringify(options)],
      { execArgv: [] },
    )
    onTestFinished(() => void holder.kill('SIGKILL'))
    await new Promise((resolve) => holder.once('message', resolve))
    const waiting = store.lock(name, async () => performance.now())
    await pause(300)
    const killed = performance.now()
    holder.kill('SIGKILL')
    const entered = await waiting
    expect(entered).toBeGreaterThan(killed)
    expect(entered - killed).toBeLessThan(1500)
  })

  test('of a process that is suspended is free after its lease', async () => {
    const { table, ...store } = open()
    await store.migrate()
    const options = { name, kind: 'postgres', url: server.url, key, table, lease: 1 }
    const holder = fork(
      new URL('../support/lock-holder.mjs', import.meta.url),
      [JSON.stringify(options)],
      { execArgv: [] },
    )
    onTestFinished(() => void holder.kill('SIGKILL'))
    await new Promise((resolve) => holder.once('message', resolve))
    holder.kill('SIGSTOP')
    expect(await store.lock(name, async () => 'entered')).toBe('entered')
  })

  test('leaves nothing behind on the connections of the pool', async () => {
    const pool = poolOf(server.url, { max: 1 })
    const store = open({ pool })
    await store.lock(name, () => store.set(name, record))
    const { rows } = await pool.query(
      "SELECT current_setting('statement_timeout') AS statement, current_setting('idle_in_transaction_session_timeout') AS idle, (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks",
    )
    expect(rows).toEqual([{ statement: '0', idle: '0', locks: 0 }])
  })

  test('is not lost when the server refuses a write, such as for a full disk, and the write can be repeated', async () => {
    const store = open()
    await store.migrate()
    await admin.query(`CREATE FUNCTION fill_disk() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'quotes %', NEW.envelope USING ERRCODE = 'disk_full'; END $$`)
    await store.lock(name, async (signal) => {
      await admin.query(
        `CREATE TRIGGER full_disk BEFORE UPDATE ON ${store.table} FOR EACH ROW EXECUTE FUNCTION fill_disk()`,
      )
      const error = await store.set(name, record).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        ...{ name: 'StoreError', code: 'store', operation: 'set', retryable: true },
        message: expect.stringMatching(/SQLSTATE 53100.*Check the disk/),
      })
      expect(String((error as Error).stack)).not.toContain('quotes')
      await admin.query(`DROP TRIGGER full_disk ON ${store.table}`)
      await store.set(name, record)
      expect(signal.aborted).toBe(false)
    })
    expect(await store.get(name)).toEqual(record)
  })

  test('of one record does not wait for the write of another that hangs', async () => {
    const { table, ...store } = open({ timeout: 1 })
    await store.set(name, record)
    const blocker = await admin.connect()
    await blocker.query('BEGIN')
    await blocker.query(`SELECT 1 FROM ${table} FOR UPDATE`)
    const hanging = store.lock(name, () => store.set(name, record)).catch((error) => error)
    const other = await store.lock(`${name} 2`, async (signal) => {
      expect(await hanging).toMatchObject({ name: 'StoreError', retryable: true })
      await store.set(`${name} 2`, record)
      return signal.aborted
    })
    await blocker.query('ROLLBACK')
    blocker.release()
    expect(other).toBe(false)
  })
})

describe('behind PgBouncer, which lends connections for a transaction,', () => {
  let bouncer: PgBouncer
  beforeAll(async () => {
    bouncer = await pgBouncer(server.url)
  })
  afterAll(() => bouncer.remove())

  test('a lock is held by one of many processes, and its records are written', async () => {
    const table = newTable()
    const stores = Array.from({ length: 4 }, () => open({ table, pool: poolOf(bouncer.url) }))
    let inside = 0
    let most = 0
    const enter = (store: ReturnType<typeof open>) =>
      store.lock(name, async () => {
        inside += 1
        most = Math.max(most, inside)
        const total = Number((await store.get(name))?.data['total'] ?? 0) + 1
        // Others use connections meanwhile, which must not be that of the lock.
        await Promise.all(stores.map((other, index) => other.set(`${name} ${index}`, record)))
        await store.set(name, { version: 1, provider: 'test', data: { total } })
        inside -= 1
      })
    await Promise.all([...stores, ...stores, ...stores].map(enter))
    expect(most).toBe(1)
    expect((await stores[0]?.get(name))?.data['total']).toBe(12)
    const { rows } = await admin.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
    expect(rows).toEqual([])
  })

  test('a lock is free at once when its holder has ended, and its lease aborts', async () => {
    const { table, ...slow } = open({ pool: poolOf(bouncer.url) })
    const other = open({ table, pool: poolOf(bouncer.url) })
    await slow.lock(name, async (signal) => {
      await endHolders()
      await other.lock(name, () => other.set(name, record))
      await isAborted(signal)
      await expect(slow.set(name, record)).rejects.toThrow('was lost')
    })
  })
})

describe('a small pool', () => {
  test('of 2 serves 50 callers of one record, and 50 of many records', async () => {
    const store = open({ pool: poolOf(server.url, { max: 2 }), timeout: 20 })
    const enter = (which: string) =>
      store.lock(which, async () => {
        const found = await store.get(which)
        const total = Number(found?.data['total'] ?? 0) + 1
        await store.set(which, { version: 1, provider: 'test', data: { total } })
        return (await store.get(which))?.data['total']
      })
    const calls = Array.from({ length: 50 }, (_none, index) => [
      enter(name),
      enter(`${name} ${index}`),
      store.get(`${name} other`),
    ])
    const results = await Promise.all(calls.flat())
    expect(Math.max(...results.map(Number).filter(Number.isFinite))).toBe(50)
    expect(await store.list()).toHaveLength(51)
  }, 30_000)

  test('of 2 serves two stores whose tasks wait for each other’s connections', async () => {
    const pool = poolOf(server.url, { max: 2 })
    const stores = [
      open({ pool, timeout: 20 }),
      open({ pool, timeout: 20 }),
      open({ pool, timeout: 20 }),
    ]
    const all = stores.flatMap((store) =>
      Array.from({ length: 10 }, (_none, index) =>
        store.lock(`${name} ${index}`, () => store.set(`${name} ${index}`, record)),
      ),
    )
    await Promise.all(all)
  }, 30_000)

  test('that is exhausted by others is an error within the time, and no connection is lost', async () => {
    const pool = poolOf(server.url, { max: 1 })
    const store = open({ pool, timeout: 0.3 })
    await store.set(name, record)
    const client = await pool.connect()
    await expect(store.get(name)).rejects.toMatchObject({
      name: 'StoreError',
      retryable: true,
      message: expect.stringContaining('no connection of the pool was free'),
    })
    await expect(store.lock(name, async () => {})).rejects.toMatchObject({ name: 'StoreError' })
    client.release()
    expect(await store.lock(name, () => store.get(name))).toEqual(record)
  })
})

describe('PostgreSQL that is gone', () => {
  const ownServer = async () => {
    const own = await postgresServer()
    await own.start()
    onTestFinished(() => own.remove())
    return own
  }

  test('is an error within the time, without its password', async () => {
    const pool = poolOf(`postgres://tester:pa55word@127.0.0.1:${await freePort()}/x`)
    const error = await open({ pool, timeout: 0.3 })
      .get(name)
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'StoreError', retryable: true })
    expect(String(error)).toContain('cannot be reached (ECONNREFUSED)')
    expect(String(error)).not.toContain('pa55word')
  })

  test('and comes back within seconds costs nothing: what was acknowledged is there', async () => {
    const own = await ownServer()
    const store = open({ pool: poolOf(own.url), timeout: 10 })
    await store.set(name, record)
    await own.kill()
    const writing = store.set(`${name} 2`, record)
    await own.start()
    await writing
    expect(await store.get(name)).toEqual(record)
    expect(await store.get(`${name} 2`)).toEqual(record)
  })

  test('and is restarted leaves a lock to its holder, who may write', async () => {
    const own = await ownServer()
    const table = newTable()
    const holder = open({ pool: poolOf(own.url), table, timeout: 10 })
    const other = open({ pool: poolOf(own.url), table, timeout: 10, lockTimeout: 30 })
    const order: string[] = []
    let waiting: Promise<void> | undefined
    await holder.lock(name, async (signal) => {
      await holder.set(name, { ...record, pending: { at: 1, by: 'holder' } })
      await own.kill()
      waiting = other.lock(name, async () => void order.push('other'))
      await own.start()
      await pause(1500)
      await holder.set(name, record)
      order.push('holder')
      expect(signal.aborted).toBe(false)
    })
    await waiting
    expect(order).toEqual(['holder', 'other'])
    expect(await other.get(name)).toEqual(record)
  })

  test('and is restarted after the holder has ended too, lets others in after a while', async () => {
    const own = await ownServer()
    const pool = poolOf(own.url)
    const store = open({ pool, timeout: 10, lockTimeout: 6 })
    await store.set(name, record)
    await pool.query(
      `UPDATE ${store.table} SET fence = gen_random_uuid(), server = pg_postmaster_start_time()`,
    )
    expect(await store.lock(name, async () => 'same server')).toBe('same server')
    await pool.query(
      `UPDATE ${store.table} SET fence = gen_random_uuid(), server = pg_postmaster_start_time()`,
    )
    await own.kill()
    await own.start()
    const started = performance.now()
    expect(await store.lock(name, async () => 'entered')).toBe('entered')
    expect(performance.now() - started).toBeGreaterThan(2900)
  })

  test('does not touch callers whose token is still valid, and the rotation goes on afterwards', async () => {
    const own = await ownServer()
    const pool = poolOf(own.url)
    const table = newTable()
    const settings = { key, table, timeout: 10 }
    const judge = await startJudge(4)
    const store = postgresStore({ ...settings, pool })
    await store.migrate()
    await store.set(`${judge.url} | default`, judge.login())
    const setting = { store: 'postgres', options: { ...settings, url: own.url } } as const
    const workers = [1, 2].map(() => startWorker(judge.url, setting))
    await Promise.all(workers.map((worker) => worker.next()))
    for (let round = 0; round < 2; round += 1) {
      await own.kill()
      await pause(800)
      await own.start()
      await pause(4000)
    }
    await Promise.all(workers.map((worker) => worker.stop()))
    expect(judge.revoked).toBe(false)
    const outcomes = workers.flatMap((worker) => worker.outcomes)
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
    expect(judge.uses.size).toBeGreaterThan(1)
  })

  test('while a refresh token is being redeemed loses no login', async () => {
    const own = await ownServer()
    const table = newTable()
    const settings = { key, table, timeout: 10 }
    const judge = await startJudge(2)
    const pool = poolOf(own.url)
    const store = postgresStore({ ...settings, pool })
    await store.migrate()
    await store.set(`${judge.url} | default`, judge.login())
    let restarts = 0
    judge.onRedeem = async () => {
      if (restarts > 0) return
      restarts += 1
      await own.kill()
      await own.start()
    }
    const setting = { store: 'postgres', options: { ...settings, url: own.url } } as const
    const workers = Array.from({ length: 4 }, () => startWorker(judge.url, setting))
    await expect.poll(() => restarts, { timeout: 20_000 }).toBe(1)
    await pause(12_000)
    await Promise.all(workers.map((worker) => worker.stop()))
    expect(judge.revoked).toBe(false)
    expect([...judge.uses.values()].filter((uses) => uses > 1)).toEqual([])
    expect(judge.uses.size).toBeGreaterThan(3)
  })
})

test('holders of the lock that are killed again and again do not cost 8 processes their login', async () => {
  const { table, ...store } = open()
  const judge = await startJudge(2)
  const own = `${judge.url} | default`
  await store.set(own, judge.login())
  const options = { url: server.url, key, table }
  const workers = Array.from({ length: 8 }, () =>
    startWorker(judge.url, { store: 'postgres', options }),
  )
  await Promise.all(workers.map(({ ready }) => ready))
  for (let round = 0; round < 8; round += 1) {
    const holder = fork(
      new URL('../support/lock-holder.mjs', import.meta.url),
      [JSON.stringify({ ...options, name: own, kind: 'postgres' })],
      { execArgv: [] },
    )
    onTestFinished(() => void holder.kill('SIGKILL'))
    await new Promise((resolve) => holder.once('message', resolve))
    await pause(300)
    holder.kill('SIGKILL')
    await pause(700)
  }
  await Promise.all(workers.map((worker) => worker.stop()))
  const outcomes = workers.flatMap((worker) => worker.outcomes)
  expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
  expect(judge.revoked).toBe(false)
  expect([...judge.uses.values()].every((uses) => uses === 1)).toBe(true)
  expect(judge.uses.size).toBeGreaterThan(3)
}, 120_000)

test.each([
  [{ pool: undefined }, 'pool'],
  [{ pool: {} }, 'pool'],
  [{ key: undefined }, 'key'],
  [{ lease: -1 }, 'lease'],
  [{ createTable: 1 }, 'createTable'],
  [{ url: 'postgres://x' }, 'url'],
])('%j is refused at construction', (options, option) => {
  const pool = { connect: () => Promise.reject(new Error('not to be used')) }
  expect(() => postgresStore({ pool, key, ...options } as never)).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', option: `postgresStore.${option}` }),
  )
})

fleetCases(async () => {
  const { table, ...store } = open()
  await store.migrate()
  const options = { url: server.url, key, table, lockTimeout: 10 }
  return { setting: { store: 'postgres', options }, store }
})
