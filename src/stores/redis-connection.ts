/**
 * Commands to Redis, which are repeated while it cannot be reached.
 *
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  ConfigurationError,
  isCredentialError,
  StoreError,
  type StoreOperation,
} from '../errors.ts'

/** The part of a client of the package `redis` that is used. */
export interface RedisClient {
  readonly isOpen: boolean
  connect(): Promise<unknown>
  sendCommand(args: readonly string[]): Promise<unknown>
}

/** A client of the application's, or where to connect to. */
export interface RedisConnectionOptions {
  readonly client: RedisClient | undefined
  readonly url: string | undefined
  /** Seconds during which a command is repeated. */
  readonly timeout: number
}

/** One connection, which is opened when a command needs it. */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #client: RedisClient | undefined
  #connecting: Promise<RedisClient> | undefined

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#client = options.client
  }

  /**
   * Sends a command, again while Redis cannot be reached: it may be restarting.
   *
   * @throws `StoreError` when Redis refuses the command, or cannot be reached in time.
   */
  async send(operation: StoreOperation, args: readonly string[]): Promise<unknown> {
    const deadline = performance.now() + this.#options.timeout * 1000
    for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
      try {
        const client = await within(this.#connected(), deadline)
        return await within(client.sendCommand(args), deadline)
      } catch (error) {
        if (isCredentialError(error)) throw error
        if (isRefusal(error)) throw refused(operation, error)
        if (performance.now() + wait >= deadline) throw unreachable(operation, this.#options)
        await pause(wait)
      }
    }
  }

  /** Runs a script, which Redis executes as one step. */
  async run(
    operation: StoreOperation,
    script: string,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    return this.send(operation, ['EVAL', script, String(keys.length), ...keys, ...args])
  }

  async #connected(): Promise<RedisClient> {
    if (this.#client?.isOpen === true) return this.#client
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #open(): Promise<RedisClient> {
    const { client, url = '' } = this.#options
    const next = client ?? (await createClient(url))
    await next.connect()
    this.#client = next
    return next
  }
}

async function createClient(url: string): Promise<RedisClient> {
  const redis = await import('redis').catch(() => {
    throw new ConfigurationError('redis', 'redisStore: the package redis is not installed.', {
      remedy: 'Run `npm install redis`, or pass a `client`.',
    })
  })
  const client = redis.createClient({
    url,
    disableOfflineQueue: true,
    // The next command reconnects: a timer that waits for Redis to return would keep the process alive.
    socket: { reconnectStrategy: false },
  })
  // Without a listener the process would end; the command that failed reports the error.
  client.on('error', () => {})
  client.unref?.()
  return client as unknown as RedisClient
}

/** Rejects at a moment of the monotonic clock, for a client may wait forever. */
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

/** Whether Redis answered with an error that a repetition does not change. */
function isRefusal(error: unknown): boolean {
  const message = error instanceof Error ? error.message : ''
  return /^(?:ERR|WRONGTYPE|NOAUTH|WRONGPASS|NOPERM|READONLY|OOM|MISCONF|CROSSSLOT) /.test(message)
}

function refused(operation: StoreOperation, error: unknown): StoreError {
  const code = /^[A-Z]+/.exec(error instanceof Error ? error.message : '')?.[0] ?? 'ERR'
  return new StoreError(operation, `Redis refused the command (${code}).`, {
    retryable: true,
    remedy: "Check the password, the user's permissions and the memory of Redis.",
  })
}

function unreachable(operation: StoreOperation, { url }: RedisConnectionOptions): StoreError {
  const where = url !== undefined && URL.canParse(url) ? ` at ${new URL(url).host}` : ''
  return new StoreError(operation, `Redis${where} cannot be reached.`, {
    retryable: true,
    remedy: 'Stored records are untouched; a credential that is still valid remains in use.',
  })
}
