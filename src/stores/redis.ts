/**
 * A store in Redis, for fleets of processes on many hosts.
 *
 * @module mcp-credentials/redis
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { type EncryptedStore, encryptedRecords, type TextRecords } from './encrypted-records.ts'
import { checkEncryption, type EncryptionOptions, makeEnvelope } from './envelope.ts'
import { RedisConnection } from './redis-connection.ts'
import { leaseLost, RedisLock } from './redis-lock.ts'

export type { EncryptedStore } from './encrypted-records.ts'
export { type EncryptionOptions, generateKey } from './envelope.ts'

/** Options of {@link redisStore}. */
export type RedisStoreOptions = EncryptionOptions & {
  /** What all keys begin with. Default `mcp-credentials:`. */
  readonly prefix?: string
  /**
   * Seconds after which the lock of a holder that died is free. Default 45. A holder that is suspended
   * for longer than this while it renews may cause its refresh token to be used twice.
   */
  readonly lease?: number
  /** Seconds to wait for the lock of a record, at most. Default 15. */
  readonly lockTimeout?: number
  /** Seconds during which a command is tried again while Redis cannot be reached. Default 5. */
  readonly timeout?: number
} & (
    | {
        /** A client of the package `redis`, version 5 or later. Give it an `error` listener. */
        readonly client: {
          /** Whether it is connected, or about to be. */
          readonly isOpen: boolean
          /** Connects. */
          connect(): Promise<unknown>
          /** Sends one command. */
          sendCommand(args: readonly string[]): Promise<unknown>
        }
        /** Not together with `client`. */
        readonly url?: never
      }
    | {
        /** Where Redis is, such as `rediss://redis.internal:6379`. The package `redis` is loaded then. */
        readonly url: string
        /** Not together with `url`. */
        readonly client?: never
      }
  )

const name = 'redisStore'
const known: readonly string[] = [
  'client',
  'url',
  'prefix',
  'lease',
  'lockTimeout',
  'timeout',
  'key',
  'keys',
]

// Redis runs a script as one step, so a lease cannot end between the comparison and the write.
const scripts = {
  set: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end redis.call('SET', KEYS[1], ARGV[2]) return 1`,
  delete: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end return redis.call('DEL', KEYS[1])`,
} as const

/**
 * Keeps records in Redis, encrypted, for many hosts that share one login. The lock is a lease with a
 * token: a holder that was suspended for too long has lost it, and Redis then refuses its writes.
 *
 * Give Redis `appendonly yes` and `appendfsync always`, or a crash of its host can lose the last record.
 *
 * @example
 * ```ts
 * import { authorizedFetch, env } from 'mcp-credentials'
 * import { savedLogin } from 'mcp-credentials/oauth'
 * import { redisStore } from 'mcp-credentials/redis'
 *
 * const fetch = authorizedFetch(savedLogin(), {
 *   resource: 'https://mcp.example.com/mcp',
 *   store: redisStore({ url: 'rediss://redis.internal:6379', key: env('MCP_STORE_KEY') }),
 * })
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong. Its methods throw `StoreError` when Redis cannot be
 * reached, a lease was lost, or a record cannot be decrypted; `ConfigurationError` when there is a `url` and the
 * package `redis` is not installed.
 */
export function redisStore(options: RedisStoreOptions): EncryptedStore {
  checkRedisOptions(options)
  const { client, url, lease = 45, lockTimeout = 15, timeout = 5 } = options
  const { prefix = 'mcp-credentials:' } = options
  const redis = new RedisConnection({ client, url, timeout })
  const locks = new RedisLock(redis, { prefix: `${prefix}lock:`, lease, timeout: lockTimeout })
  const texts = redisTexts(redis, locks, `${prefix}record:`)
  return encryptedRecords(texts, makeEnvelope(name, `redis ${prefix}`, options))
}

/** The texts of a prefix; who holds the lock of a key writes under its lease. */
function redisTexts(redis: RedisConnection, locks: RedisLock, recordPrefix: string): TextRecords {
  const recordKey = (key: string) => `${recordPrefix}${key}`
  return {
    async get(key) {
      const text = await redis.send('get', ['GET', recordKey(key)])
      return typeof text === 'string' ? text : undefined
    },
    async set(key, text) {
      const held = locks.leaseOf(key)
      if (held === undefined) return void (await redis.send('set', ['SET', recordKey(key), text]))
      const keys = [recordKey(key), held.lockKey]
      const count = await redis.run('set', scripts.set, keys, [held.token, text])
      if (count !== 1) throw leaseLost('set', key)
    },
    async delete(key) {
      const held = locks.leaseOf(key)
      if (held === undefined) return (await redis.send('delete', ['DEL', recordKey(key)])) === 1
      const keys = [recordKey(key), held.lockKey]
      const count = await redis.run('delete', scripts.delete, keys, [held.token])
      if (count === -1) throw leaseLost('delete', key)
      return count === 1
    },
    async list() {
      const keys = await scanKeys(redis, `${escapePattern(recordPrefix)}*`)
      return keys.map((key) => key.slice(recordPrefix.length)).sort()
    },
    lock: (key, task, signal) => locks.run(key, task, signal),
  }
}

/** All keys of a pattern; a scan may return a key more than once. */
async function scanKeys(redis: RedisConnection, pattern: string): Promise<string[]> {
  const found = new Set<string>()
  let cursor = '0'
  do {
    const args = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000']
    const [next, keys] = (await redis.send('list', args)) as [string, string[]]
    for (const key of keys) found.add(key)
    cursor = next
  } while (cursor !== '0')
  return [...found]
}

function checkRedisOptions(options: RedisStoreOptions): void {
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
  }
  checkOptions(name, options, known)
  checkEncryption(name, options)
  const { client, url, lease, lockTimeout, timeout } = options
  if ((client === undefined) === (url === undefined)) {
    fail('url', 'is missing or not alone; give either `url` or a `client`.')
  }
  if (url !== undefined && !/^rediss?:\/\//.test(url))
    fail('url', 'must begin with redis:// or rediss://.')
  if (client !== undefined && typeof client.sendCommand !== 'function') {
    fail('client', 'must be a client of the package redis.')
  }
  for (const [option, value] of Object.entries({ lease, lockTimeout, timeout })) {
    if (value !== undefined && !(value > 0)) fail(option, 'must be a positive number of seconds.')
  }
}

function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}
