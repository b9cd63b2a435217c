import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { keychainEntry } from '../../src/stores/keychain.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { statementFailed } from '../../src/stores/postgres-client.ts'
import { redisStore } from '../../src/stores/redis.ts'

const table = { table: 'mcp_credentials', seconds: 5 }
const key = 'a'.repeat(64)

describe('an error of PostgreSQL', () => {
  test.each([
    ['the table is missing', '42P01'],
    ['the schema is missing', '3F000'],
    ['the database is missing', '3D000'],
    ['a right is missing', '42501'],
    ['a column is missing', '42703'],
    ['the password is wrong', '28P01'],
  ])('is not retryable if %s, and may be tried again after a second', (_what, code) => {
    const error = statementFailed('get', Object.assign(new Error('no'), { code }), table)
    expect(error).toMatchObject({ retryable: false, retryAfter: 1 })
  })

  test.each([
    ['the disk is full', '53100'],
    ['there are too many connections', '53300'],
    ['a lock did not come', '55P03'],
    ['the server restarts', '57P01'],
    ['the server is a replica', '25006'],
    ['the connection was lost', 'ECONNRESET'],
  ])('is retryable if %s', (_what, code) => {
    const error = statementFailed('get', Object.assign(new Error('no'), { code }), table)
    expect(error).toMatchObject({ retryable: true })
  })
})

describe('a missing schema of PostgreSQL', () => {
  const failure = (of: string) => {
    const thrown = Object.assign(new Error('no'), { code: '3F000' })
    return statementFailed('open', thrown, { table: of, seconds: 5 }).message
  }

  test('is reported with the statement that creates it, because migrate() does not', () => {
    const message = failure('app.logins')
    expect(message).toContain('The schema app does not exist. Run CREATE SCHEMA app')
    expect(message).not.toContain('migrate()')
  })

  test('is the schema of the role if the table names none', () => {
    expect(failure('logins')).toContain('search_path')
  })
})

describe('an error of Redis', () => {
  const failureOf = (thrown: Error) => {
    const client = { isOpen: true, sendCommand: () => Promise.reject(thrown) }
    const store = redisStore({ client: client as never, key, timeout: 0.1, allowInsecure: true })
    return store.get('x').catch((error: unknown) => error)
  }

  test.each([
    'NOAUTH Authentication required.',
    'WRONGPASS invalid username-password pair or user is disabled.',
    'NOPERM this user has no permissions',
    'WRONGTYPE Operation against a key holding the wrong kind of value',
  ])('is not retryable if the configuration is wrong: %s', async (message) => {
    const error = await failureOf(new Error(message))
    expect(error).toMatchObject({ name: 'StoreError', retryable: false, retryAfter: 1 })
  })

  test.each([
    "OOM command not allowed when used memory > 'maxmemory'.",
    'MISCONF Redis is configured to save RDB snapshots, but is unable to persist to disk.',
    'ERR max number of clients reached',
  ])('is retryable if the cause may be temporary: %s', async (message) => {
    const error = await failureOf(new Error(message))
    expect(error).toMatchObject({ name: 'StoreError', retryable: true })
  })
})

describe('an unreachable Redis', () => {
  const failureOf = (thrown: Error) => {
    const connect = () => Promise.reject(thrown)
    const client = { isOpen: false, connect, sendCommand: connect }
    const store = redisStore({ client: client as never, key, timeout: 0.1, allowInsecure: true })
    return store.get('x').catch((error: unknown) => String(error))
  }
  const refused = () => Object.assign(new Error('canary'), { code: 'ECONNREFUSED' })

  class SocketClosedUnexpectedlyError extends Error {}

  test.each([
    ['the code of a system error', refused(), 'ECONNREFUSED'],
    ['the code of the first address', new AggregateError([refused()], 'canary'), 'ECONNREFUSED'],
    ['the code of a reply', new Error('LOADING canary'), 'LOADING'],
    [
      'the class of an error',
      new SocketClosedUnexpectedlyError('canary'),
      'SocketClosedUnexpectedlyError',
    ],
  ])('is reported with %s, and nothing else', async (_what, thrown, code) => {
    const text = await failureOf(thrown)
    expect(text).toContain(`Redis cannot be reached (${code}).`)
    expect(text).not.toContain('canary')
  })

  test('that does not respond is reported as such', async () => {
    const client = { isOpen: true, sendCommand: () => new Promise(() => {}) }
    const store = redisStore({ client: client as never, key, timeout: 0.1, allowInsecure: true })
    await expect(store.get('x')).rejects.toThrow('cannot be reached (no response within 0.1 s).')
  })
})

describe('a client of pg instead of a pool', () => {
  const wrong = { option: 'postgresStore.pool', message: expect.stringContaining('not a Client') }

  test('is rejected immediately', () => {
    const build = () => postgresStore({ pool: new pg.Client() as never, key })
    expect(build).toThrow(expect.objectContaining(wrong))
  })

  test('that looks like a pool is rejected at the first use', async () => {
    const store = postgresStore({ pool: { connect: async () => undefined } as never, key })
    await expect(store.get('x')).rejects.toMatchObject(wrong)
  })
})

describe('an error of the keychain', () => {
  const failureOf = (thrown: Error) => {
    const fail = () => Promise.reject(thrown)
    const backend = {
      getPassword: fail,
      setPassword: fail,
      deletePassword: fail,
      findCredentials: fail,
    }
    const read = keychainEntry('service', 'account', { backend })
    return read().catch((error: unknown) => String(error))
  }

  test.each([
    ['canary-1234567', 'The keychain failed.'],
    ['The item canary could not be read (-25300)', 'The keychain failed (-25300).'],
    ['GDBus.Error:org.freedesktop.DBus.Error.Failed: canary', 'The keychain failed (org.free'],
    ['canary 0x80070057', 'The keychain failed (0x80070057).'],
  ])('shows only the codes in %j', async (message, shown) => {
    const text = await failureOf(new Error(message))
    expect(text).toContain(shown)
    expect(text).not.toContain('canary')
  })
})
