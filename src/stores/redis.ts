/**
 * A store in Redis, for fleets of processes on many hosts.
 *
 * @example
 * ```ts
 * import { env } from 'mcp-credentials'
 * import { redisStore } from 'mcp-credentials/redis'
 * import { createClient } from 'redis'
 *
 * const client = createClient()
 * client.on('error', (error: Error) => console.error(error.message))
 * const store = redisStore({ client, key: env('MCP_STORE_KEY') })
 * ```
 *
 * @module mcp-credentials/redis
 * @group API: Stores
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions, checkSeconds } from '../options.ts'
import { type EncryptedStore, encryptedRecords, type TextRecords } from './encrypted-records.ts'
import { checkEncryption, type EncryptionOptions, makeEnvelope } from './envelope.ts'
import { maxRecordBytes, oversized } from './record.ts'
import {
  isOtherClient,
  type RedisClient,
  type RedisClusterClient,
  unencryptedHost,
} from './redis-client.ts'
import { RedisConnection, textOf } from './redis-connection.ts'
import { redisKeys } from './redis-keys.ts'
import { leaseLost, RedisLock } from './redis-lock.ts'

export type { EncryptedStore } from './encrypted-records.ts'
export { type EncryptionOptions, generateKey } from './envelope.ts'
export type { RedisClient, RedisClusterClient } from './redis-client.ts'

/** Options of {@link redisStore}. */
export type RedisStoreOptions = EncryptionOptions & {
  /**
   * The prefix of all keys. Default `mcp-credentials:`. Records are encrypted for their prefix, so they
   * cannot be decrypted under another one.
   */
  readonly prefix?: string
  /**
   * Seconds after which the lock of a dead holder is released. Default 45; at most 600. A holder that is suspended
   * for longer than this while it renews may cause its refresh token to be used twice.
   */
  readonly lease?: number
  /** Seconds to wait for the lock of a record, at most. Default 15; at most 600. */
  readonly lockTimeout?: number
  /** Seconds during which a command is retried while Redis cannot be reached. Default 5; at most 600. */
  readonly timeout?: number
  /**
   * How many replicas must acknowledge a lock or a record. Default 0: a failover can lose the latest writes,
   * such as a new refresh token or a lock.
   */
  readonly replicas?: number
  /**
   * Whether to allow `redis:`, without TLS, to other machines. Default `false`. Records are always encrypted;
   * the password of Redis and the names of the servers with logins are not.
   */
  readonly allowInsecure?: boolean
} & (
    | {
        /**
         * A client of the package `redis`, version 5 or later: `createClient()`, or `createCluster()` for a
         * cluster; not a pool or a sentinel. Give it an `error` listener. It is connected at the first use
         * if necessary. The store does not close it, and does not reconnect a closed one.
         */
        readonly client: RedisClient | RedisClusterClient
        /** Not together with `client`. */
        readonly url?: never
      }
    | {
        /**
         * The URL of Redis, such as `rediss://redis.internal:6379`; for a cluster, one of its servers. Needs
         * the package `redis`.
         */
        readonly url: string
        /** Not together with `url`. */
        readonly client?: never
      }
  )

const name = 'redisStore'
const knownOptions: readonly string[] = [
  'client',
  'url',
  'prefix',
  'lease',
  'lockTimeout',
  'timeout',
  'replicas',
  'allowInsecure',
  'key',
  'keys',
]

// Redis runs a script as one step, so a lease cannot end between the comparison and the write.
const scripts = {
  set: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end redis.call('SET', KEYS[1], ARGV[2]) return 1`,
  delete: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end return redis.call('DEL', KEYS[1])`,
} as const

/**
 * Stores encrypted records in Redis, for many hosts that share one login. The lock is a lease with a token: a
 * holder that was suspended for too long loses it, and Redis then refuses its writes.
 *
 * Give Redis `appendonly yes` and `appendfsync always`, or a crash of its host can lose the last record. A
 * failover to a replica can lose writes that the replica has not received: a lock, whose holder detects that
 * and stops writing, or the newest record, and with it a refresh token. `replicas` makes such losses unlikely,
 * but does not rule them out: Redis replicates asynchronously, also with `WAIT`.
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
 * @throws `ConfigurationError` when an option is invalid. Its methods throw `StoreError` when Redis cannot be
 * reached, a lease was lost, or a record cannot be decrypted; `ConfigurationError` when there is a `url` and the
 * package `redis` is not installed.
 */
export function redisStore(options: RedisStoreOptions): EncryptedStore {
  checkRedisOptions(options)
  const { client, url, lease = 45, lockTimeout = 15, timeout = 5, replicas = 0 } = options
  const { prefix = 'mcp-credentials:' } = options
  const redis = new RedisConnection({ client, url, timeout, replicas })
  const keys = redisKeys(prefix)
  const locks = new RedisLock(redis, { keyOf: keys.lock, lease, timeout: lockTimeout })
  const texts: TextRecords = {
    async get(key) {
      const record = keys.record(key)
      const reply = await redis.send('get', record, ['GETRANGE', record, '0', `${maxRecordBytes}`])
      const text = textOf(reply ?? '')
      if (Buffer.byteLength(text) > maxRecordBytes) throw oversized(key)
      // Redis returns this when there is no value.
      return text === '' ? undefined : text
    },
    async set(key, makeText) {
      const record = keys.record(key)
      const held = locks.leaseOf('set', key)
      const text = await makeText()
      if (held === undefined) await redis.send('set', record, ['SET', record, text])
      else {
        const both = [record, held.lockKey]
        const count = await redis.run('set', scripts.set, both, [held.token, text])
        if (Number(count) !== 1) throw leaseLost('set', key)
      }
      await redis.replicated('set', record)
    },
    async delete(key) {
      const record = keys.record(key)
      const held = locks.leaseOf('delete', key)
      const reply =
        held === undefined
          ? await redis.send('delete', record, ['DEL', record])
          : await redis.run('delete', scripts.delete, [record, held.lockKey], [held.token])
      const count = Number(reply)
      if (count === -1) throw leaseLost('delete', key)
      await redis.replicated('delete', record)
      return count === 1
    },
    async list() {
      const found = [...(await redis.scan(keys.recordPattern))].map(keys.ofRecord)
      return found.filter((key) => key !== undefined).sort()
    },
    lock: (key, task, signal) => locks.run(key, task, signal),
  }
  return encryptedRecords(texts, makeEnvelope(name, `redis ${prefix}`, options))
}

function checkRedisOptions(options: RedisStoreOptions): void {
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
  }
  checkOptions(name, options, knownOptions)
  checkEncryption(name, options)
  const { client, url, prefix = '', lease, lockTimeout, timeout, replicas = 0 } = options
  if ((client === undefined) === (url === undefined)) {
    fail('url', 'is missing or given with `client`; pass either `url` or `client`.')
  }
  if (url !== undefined && !(/^rediss?:\/\//.test(url) && URL.canParse(url)))
    fail('url', 'must begin with redis:// or rediss://.')
  if (
    client !== undefined &&
    (typeof client?.sendCommand !== 'function' || isOtherClient(client))
  ) {
    fail('client', 'must be a client of the package redis: createClient() or createCluster().')
  }
  const host = unencryptedHost(url, client)
  if (host !== undefined && options.allowInsecure !== true) {
    const advice =
      'use rediss:// (for createCluster(), also `defaults: { socket: { tls: true } }`), or set `allowInsecure: true` if only you can read that network.'
    fail(url === undefined ? 'client' : 'url', `is not encrypted on the way to ${host}; ${advice}`)
  }
  if (typeof prefix !== 'string' || /^[^{]*\{\}/.test(prefix)) {
    fail('prefix', 'must be a text without `{}`, which would separate a record from its lock.')
  }
  if (!(Number.isInteger(replicas) && replicas >= 0)) {
    fail('replicas', 'must be a whole number of replicas.')
  }
  checkSeconds(name, { lease, lockTimeout, timeout })
}
