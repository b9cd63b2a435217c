import { afterEach, describe, expect, test, vi } from 'vitest'
import { env } from '../../src/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { webLogins } from '../../src/web/index.ts'

const variable = 'MCP_CREDENTIALS_TEST_KEY'
const pool = { connect: () => Promise.reject(new Error('not used')) }
const redirectUri = 'https://app.example.com/callback'
const malformed = 'canary-that-is-too-short'

afterEach(() => {
  vi.unstubAllEnvs()
})

describe('a key in an environment variable', () => {
  const cases: readonly [string, () => unknown][] = [
    ['redisStore.key', () => redisStore({ url: 'redis://127.0.0.1', key: env(variable) })],
    ['postgresStore.keys[1]', () => postgresStore({ pool, keys: ['a'.repeat(64), env(variable)] })],
    ['encryptedFileStore.key', () => encryptedFileStore({ key: env(variable) })],
    [
      'webLogins.key',
      () => webLogins({ key: env(variable), redirectUri, store: memoryStore(), clientId: 'app' }),
    ],
  ]

  test.each(cases)('that is malformed is rejected when %s is set', (option, build) => {
    vi.stubEnv(variable, malformed)
    const caught = () => {
      try {
        build()
      } catch (error) {
        return error
      }
      return undefined
    }
    const error = caught()
    expect(error).toMatchObject({
      name: 'ConfigurationError',
      option,
      message: expect.stringContaining('openssl rand -base64 32'),
    })
    expect(String(error)).not.toContain(malformed)
  })

  test.each(cases)('that is not set yet is accepted when %s is set', (_option, build) => {
    expect(build()).toBeDefined()
  })
})
