/**
 * A store in Redis, for fleets of processes on many hosts.
 *
 * @module mcp-credentials/redis
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { CredentialStore } from '../credential.ts'
import {
  ConfigurationError,
  isCredentialError,
  recordLabel,
  StoreError,
  type StoreOperation,
} from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkEncryption, type EncryptionOptions, makeEnvelope } from './envelope.ts'
import { checkKey } from './record.ts'

export type { EncryptionOptions } from './envelope.ts'

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

type RedisClient = NonNullable<RedisStoreOptions['client']>

const name = 'redisStore'
const known: readonly string[] = [
  'client',
  'url',
  'prefix',
  'lease',
  'lockTimeout',
  'timeout',
  'key',
  'passphrase',
]

/** A lock that this task holds. */
interface Lease {
  readonly key: string
  readonly token: string
  readonly signal: AbortSignal
}

// Each script is one step for Redis, so nothing can come between the comparison and the deed.
const scripts = {
  // It may be ours already, where the answer to an earlier attempt was lost.
  take: `if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end return 0`,
  release: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`,
  renew: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`,
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
export function redisStore(options: RedisStoreOptions): CredentialStore {
  checkRedisOptions(options)
  const { prefix = 'mcp-credentials:', lease = 45, lockTimeout = 15, timeout = 5 } = options
  const envelope = makeEnvelope(name, options)
  const connect = connector(options)
  const holding = new AsyncLocalStorage<readonly Lease[]>()
  const live = new Set<Lease>()
  const recordKey = (key: string) => `${prefix}record:${key}`
  const lockKey = (key: string) => `${prefix}lock:${key}`

  /** Sends a command, again while Redis cannot be reached: it may be restarting. */
  const send = async (operation: StoreOperation, args: readonly string[]): Promise<unknown> => {
    const deadline = performance.now() + timeout * 1000
    for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
      try {
        const client = await within(connect(), deadline)
        return await within(client.sendCommand(args), deadline)
      } catch (error) {
        if (isCredentialError(error)) throw error
        if (isRefusal(error)) throw refused(operation, error)
        if (performance.now() + wait >= deadline) throw unreachable(operation, options)
        await pause(wait)
      }
    }
  }
  const run = (
    operation: StoreOperation,
    script: keyof typeof scripts,
    keys: readonly string[],
    args: readonly string[],
  ) => send(operation, ['EVAL', scripts[script], String(keys.length), ...keys, ...args])
  // What a task started and left behind is inside no longer.
  const leaseOf = (key: string) =>
    holding.getStore()?.find((held) => held.key === key && live.has(held))

  const acquire = async (key: string, token: string, signal: AbortSignal | undefined) => {
    const deadline = performance.now() + lockTimeout * 1000
    const take = () => run('lock', 'take', [lockKey(key)], [token, String(lease * 1000)])
    for (let wait = 10; ; wait = Math.min(wait * 1.5, 200)) {
      signal?.throwIfAborted()
      if ((await take()) === 1) return
      if (performance.now() >= deadline) {
        const text = `Another process has held the lock of ${recordLabel(key)} for ${lockTimeout} s.`
        throw new StoreError('lock', text, {
          retryable: true,
          remedy: 'Try again, or end that process: it may wait for a person to log in.',
        })
      }
      await pause(
        wait + Math.random() * wait,
        undefined,
        signal === undefined ? {} : { signal },
      ).catch(() => {})
    }
  }

  return {
    async get(key) {
      const text = await send('get', ['GET', recordKey(key)])
      return typeof text === 'string' ? envelope.open(key, text) : undefined
    },
    async set(key, record) {
      checkKey(key)
      const text = await envelope.seal(key, record)
      const held = leaseOf(key)
      if (held === undefined) return void (await send('set', ['SET', recordKey(key), text]))
      const keys = [recordKey(key), lockKey(key)]
      if ((await run('set', 'set', keys, [held.token, text])) !== 1) throw lost('set', key)
    },
    async delete(key) {
      const held = leaseOf(key)
      if (held === undefined) return (await send('delete', ['DEL', recordKey(key)])) === 1
      const keys = [recordKey(key), lockKey(key)]
      const count = await run('delete', 'delete', keys, [held.token])
      if (count === -1) throw lost('delete', key)
      return count === 1
    },
    async list() {
      const found: string[] = []
      const pattern = `${escapePattern(prefix)}record:*`
      let cursor = '0'
      do {
        const answer = await send('list', ['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000'])
        const [next, keys] = answer as [string, string[]]
        found.push(...keys.map((key) => key.slice(`${prefix}record:`.length)))
        cursor = next
      } while (cursor !== '0')
      return [...new Set(found)].sort()
    },
    async lock(key, task, signal) {
      if (leaseOf(key) !== undefined) {
        throw new StoreError(
          'lock',
          `The lock of ${recordLabel(key)} is already held by this very task.`,
          {
            remedy: 'Do not lock a key inside a task that holds it.',
          },
        )
      }
      const token = randomUUID()
      const release = () => run('lock', 'release', [lockKey(key)], [token]).catch(() => {})
      try {
        await acquire(key, token, signal)
        signal?.throwIfAborted()
      } catch (error) {
        // The lock may be ours all the same, where only the answer was lost.
        await release()
        throw error
      }
      const loss = new AbortController()
      const held: Lease = { key, token, signal: loss.signal }
      const stop = keepLease(
        async () =>
          (await run('lock', 'renew', [lockKey(key)], [token, String(lease * 1000)])) === 1,
        lease,
        () => loss.abort(lost('lock', key)),
      )
      live.add(held)
      try {
        const inside = [...(holding.getStore() ?? []), held]
        return await holding.run(inside, () => task(loss.signal))
      } finally {
        live.delete(held)
        stop()
        // Where this fails, the lease ends by itself.
        await release()
      }
    },
  }
}

/** Renews a lease at a third of its time, until it is stopped or lost. */
function keepLease(renew: () => Promise<boolean>, lease: number, onLoss: () => void): () => void {
  let renewed = performance.now()
  const timer = setInterval(
    async () => {
      const started = performance.now()
      const isOurs = await renew().catch(() => undefined)
      if (isOurs === true) renewed = started
      else if (isOurs === false || performance.now() - renewed > lease * 1000) {
        clearInterval(timer)
        onLoss()
      }
    },
    (lease * 1000) / 3,
  )
  timer.unref()
  return () => clearInterval(timer)
}

function connector({ client, url }: RedisStoreOptions): () => Promise<RedisClient> {
  let current = client
  let connecting: Promise<RedisClient> | undefined
  const open = async (): Promise<RedisClient> => {
    const next = client ?? (await createClient(url ?? ''))
    await next.connect()
    current = next
    return next
  }
  return async () => {
    if (current?.isOpen === true) return current
    connecting ??= open().finally(() => {
      connecting = undefined
    })
    return connecting
  }
}

async function createClient(url: string): Promise<RedisClient> {
  const redis = await import('redis').catch(() => {
    throw new ConfigurationError('redis', `${name}: the package redis is not installed.`, {
      remedy: 'Run `npm install redis`, or pass a `client`.',
    })
  })
  const client = redis.createClient({
    url,
    disableOfflineQueue: true,
    // A new connection is made when somebody needs one: a timer that waits for Redis to come back would
    // keep the process alive.
    socket: { reconnectStrategy: false },
  })
  // Without a listener the process would end; the failed command says all there is to say.
  client.on('error', () => {})
  client.unref?.()
  return client as unknown as RedisClient
}

async function within<T>(work: Promise<T>, deadline: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('late')), Math.max(1, deadline - performance.now()))
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
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

/** Redis answered, and will answer the same again. */
function isRefusal(error: unknown): boolean {
  const message = error instanceof Error ? error.message : ''
  return /^(?:ERR|WRONGTYPE|NOAUTH|WRONGPASS|NOPERM|READONLY|OOM|MISCONF|CROSSSLOT) /.test(message)
}

function refused(operation: StoreOperation, error: unknown): StoreError {
  const code = /^[A-Z]+/.exec(error instanceof Error ? error.message : '')?.[0] ?? 'ERR'
  return new StoreError(operation, `Redis refused the command (${code}).`, {
    retryable: true,
    remedy: 'Check its password, its permissions and its memory.',
  })
}

function unreachable(operation: StoreOperation, { url }: RedisStoreOptions): StoreError {
  const where = url !== undefined && URL.canParse(url) ? ` at ${new URL(url).host}` : ''
  return new StoreError(operation, `Redis${where} cannot be reached.`, {
    retryable: true,
    remedy: 'What was stored before is untouched; a credential that is still valid keeps serving.',
  })
}

function lost(operation: StoreOperation, key: string): StoreError {
  return new StoreError(
    operation,
    `The lock of ${recordLabel(key)} was lost: this process was held up for too long.`,
    {
      retryable: true,
      remedy: 'Nothing was written. Another process may have gone on from here.',
    },
  )
}

function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&')
}
