import { describe, expect, test } from 'vitest'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { keychainEntry, keychainStore } from '../../src/stores/keychain.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'

const key = 'a'.repeat(64)
const pool = { connect: () => Promise.reject(new Error('not used')) }
const url = 'redis://127.0.0.1'
const wrong = (options: object) => options as never

const stores: Readonly<Record<string, (options: object) => unknown>> = {
  redisStore: (options) => redisStore(wrong({ url, key, ...options })),
  postgresStore: (options) => postgresStore(wrong({ pool, key, ...options })),
  encryptedFileStore: (options) => encryptedFileStore(wrong({ key, ...options })),
  keychainStore: (options) => keychainStore(wrong({ service: 'test', ...options })),
  keychainEntry: (options) => keychainEntry('service', 'account', wrong(options)),
}
const times = [
  ['redisStore', ['lease', 'lockTimeout', 'timeout']],
  ['postgresStore', ['lease', 'lockTimeout', 'timeout']],
  ['encryptedFileStore', ['lockTimeout']],
  ['keychainStore', ['lockTimeout', 'timeout']],
  ['keychainEntry', ['timeout']],
] as const
const cases = times.flatMap(([name, options]) => options.map((option) => [name, option] as const))

const refusalOf = (build: () => unknown): unknown => {
  try {
    build()
  } catch (error) {
    return error
  }
  return undefined
}

describe.each(cases)('%s.%s', (name, option) => {
  test.each([45_000, 600.5, Infinity, Number.NaN, 0, -1, '5', null])(
    'rejects %s, which is not a number of seconds up to 600',
    (value) => {
      expect(refusalOf(() => stores[name]?.({ [option]: value }))).toMatchObject({
        name: 'ConfigurationError',
        option: `${name}.${option}`,
        message: expect.stringContaining('600'),
      })
    },
  )

  test.each([0.3, 600])('accepts %s', (value) => {
    expect(refusalOf(() => stores[name]?.({ [option]: value }))).toBeUndefined()
  })
})

test('a lease with a fraction of a millisecond is rounded up for Redis', async () => {
  const sent: (readonly string[])[] = []
  const client = {
    isOpen: true,
    async sendCommand(args: readonly string[]) {
      sent.push(args)
      return 1
    },
  }
  await redisStore({ client: client as never, key, lease: 1 / 3 }).lock('x', async () => {})
  expect(sent[0]?.at(-1)).toBe('334')
})

test.each([
  ['redisStore', 'client', { client: null, url: undefined }],
  ['keychainStore', 'directory', { directory: 5 }],
  ['keychainStore', 'directory', { directory: '' }],
  ['keychainStore', 'backend', { backend: null }],
  ['keychainEntry', 'backend', { backend: {} }],
  ['keychainEntry', 'backend', { backend: 5 }],
])('%s.%s with a value of the wrong type is rejected: %j', (name, option, options) => {
  expect(refusalOf(() => stores[name]?.(options))).toMatchObject({
    name: 'ConfigurationError',
    option: `${name}.${option}`,
  })
})
