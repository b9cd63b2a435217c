/**
 * Sends commands to Redis, and repeats them while it cannot be reached.
 *
 * @module
 */
import { setTimeout as pause } from 'node:timers/promises'
import {
  ConfigurationError,
  isCredentialError,
  StoreError,
  type StoreOperation,
  systemErrorCode,
} from '../errors.ts'
import {
  createClusterClient,
  createServerClient,
  destroyClient,
  isClusterClient,
  type RedisClient,
  type RedisClusterClient,
  type RedisNode,
  unrefServers,
} from './redis-client.ts'
import { setUpError } from './set-up-error.ts'

/** The application's client, or the URL of a server. */
export interface RedisConnectionOptions {
  readonly client: RedisClient | RedisClusterClient | undefined
  readonly url: string | undefined
  /** Seconds during which a command is repeated. */
  readonly timeout: number
  /** How many replicas must acknowledge a write. */
  readonly replicas: number
}

type AnyClient = RedisClient | RedisClusterClient

/** One connection, which is opened when a command needs it. */
export class RedisConnection {
  readonly #options: RedisConnectionOptions
  #client: AnyClient | undefined
  #connecting: Promise<AnyClient> | undefined
  /** Whether the server at the URL belongs to a cluster. */
  #isCluster = false
  #nodes: readonly RedisNode[] = []
  /** Whether the application's client has been connected. */
  #wasOpen = false

  constructor(options: RedisConnectionOptions) {
    this.#options = options
    this.#client = options.client
  }

  /**
   * Sends a command for a key, and repeats it while Redis cannot be reached: it may be restarting, or failing over.
   *
   * @throws `StoreError` when Redis refuses the command, or cannot be reached in time.
   */
  async send(operation: StoreOperation, key: string, args: readonly string[]): Promise<unknown> {
    return this.#repeat(operation, (client) =>
      isClusterClient(client)
        ? client.sendCommand(key, false, [...args])
        : client.sendCommand(args),
    )
  }

  /** Runs a script, which Redis executes as one step; its keys must have one slot. */
  async run(
    operation: StoreOperation,
    script: string,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    const [key = ''] = keys
    return this.send(operation, key, ['EVAL', script, String(keys.length), ...keys, ...args])
  }

  /**
   * Waits until the replicas have received the write of a key.
   *
   * @throws `StoreError` when too few of them have received it in time: the write may be lost.
   */
  async replicated(operation: StoreOperation, key: string): Promise<void> {
    const { replicas, timeout } = this.#options
    if (replicas === 0) return
    const wait = ['WAIT', String(replicas), String(Math.ceil((timeout * 1000) / 2))]
    const count = await this.#repeat(operation, async (client) =>
      (await masterOf(client, key)).sendCommand(wait),
    )
    if (Number(count) >= replicas) return
    const text = `Only ${Number(count)} of ${replicas} replicas of Redis have received the write.`
    throw new StoreError(operation, text, {
      retryable: true,
      remedy: 'A failover could lose it. Check why the replicas do not follow their master.',
    })
  }

  /** The keys of a pattern on all servers; a scan may return a key more than once. */
  async scan(pattern: string): Promise<ReadonlySet<string>> {
    return this.#repeat('list', async (client, deadline) => {
      // One server of a cluster lists only its own keys, without an error.
      if (!isClusterClient(client) && (await isClusterServer(client))) throw notForCluster('list')
      const found = new Set<string>()
      for (const server of await mastersOf(client)) {
        let cursor = '0'
        do {
          // The result is no longer awaited.
          if (performance.now() >= deadline) throw new LateError('late')
          const args = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000']
          const [next, keys] = (await server.sendCommand(args)) as [unknown, unknown[]]
          for (const key of keys) found.add(textOf(key))
          cursor = textOf(next)
        } while (cursor !== '0')
      }
      return found
    })
  }

  async #repeat<T>(
    operation: StoreOperation,
    task: (client: AnyClient, deadline: number) => Promise<T>,
  ): Promise<T> {
    const deadline = performance.now() + this.#options.timeout * 1000
    for (let wait = 50; ; wait = Math.min(wait * 2, 1000)) {
      let used: AnyClient | undefined
      try {
        used = await within(this.#connected(operation), deadline)
        const result = await within(task(used, deadline), deadline)
        // It connects to each server when that is first needed.
        if (this.#options.client === undefined) unrefServers(used)
        return result
      } catch (error) {
        if (isCredentialError(error)) throw error
        if (isRefusal(error)) throw refused(operation, error)
        if (isRedirection(error)) this.#followRedirection(operation)
        if (used !== undefined) this.#leave(used, error)
        if (performance.now() + wait >= deadline) throw unreachable(operation, this.#options, error)
        await pause(wait)
      }
    }
  }

  async #connected(operation: StoreOperation): Promise<AnyClient> {
    if (this.#client?.isOpen === true) {
      this.#wasOpen = true
      return this.#client
    }
    // Its owner has closed it, or disabled reconnections.
    if (this.#options.client !== undefined && this.#wasOpen) throw closed(operation)
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #open(): Promise<AnyClient> {
    const { client, url = '' } = this.#options
    const next = client ?? (await this.#create(url))
    try {
      await next.connect()
    } catch (error) {
      if (client === undefined) destroyClient(next)
      throw error
    }
    if (client === undefined && !isClusterClient(next) && (await isClusterServer(next))) {
      destroyClient(next)
      this.#isCluster = true
      return this.#open()
    }
    this.#client = next
    this.#wasOpen = true
    if (client === undefined && isClusterClient(next)) {
      this.#nodes = (next.masters as readonly RedisNode[]).map(({ host, port }) => ({ host, port }))
    }
    return next
  }

  #create(url: string): Promise<AnyClient> {
    return this.#isCluster ? createClusterClient(url, this.#nodes) : createServerClient(url)
  }

  /** Handles a redirection: the key is on another server of a cluster. */
  #followRedirection(operation: StoreOperation): void {
    if (this.#options.client !== undefined) throw notForCluster(operation)
    this.#isCluster = true
  }

  /**
   * Makes the next attempt reconnect: a master may have been replaced, and its name may resolve to another
   * address.
   */
  #leave(used: AnyClient, error: unknown): void {
    const isOutdated = isClusterClient(used) || isRedirection(error) || isReplica(error)
    if (this.#options.client !== undefined || this.#client !== used || !isOutdated) return
    this.#client = undefined
    destroyClient(used)
  }
}

/**
 * Returns a reply as text. The application's client may be configured to return bytes.
 *
 * @throws {@link ConfigurationError} when it is neither: a stored record must not appear to be missing.
 */
export function textOf(reply: unknown): string {
  if (typeof reply === 'string') return reply
  if (typeof reply === 'number') return String(reply)
  if (reply instanceof Uint8Array) return Buffer.from(reply).toString('utf8')
  throw new ConfigurationError(
    'redisStore.client',
    'redisStore.client does not return texts as strings; pass a client without `typeMapping`.',
  )
}

/** Whether a server belongs to a cluster. One that does not report it counts as a single server. */
async function isClusterServer(client: RedisClient): Promise<boolean> {
  const info = await client.sendCommand(['INFO', 'cluster']).catch(() => '')
  return /^cluster_enabled:1/m.test(String(info))
}

async function mastersOf(client: AnyClient): Promise<readonly RedisClient[]> {
  if (!isClusterClient(client)) return [client]
  return Promise.all(client.masters.map((master) => client.nodeClient(master as never)))
}

async function masterOf(client: AnyClient, key: string): Promise<RedisClient> {
  if (!isClusterClient(client)) return client
  const slot = Number(await client.sendCommand(key, true, ['CLUSTER', 'KEYSLOT', key]))
  const master = client.slots[slot]?.master
  if (master === undefined) throw new Error('no master has the slot')
  return client.nodeClient(master as never)
}

/** Thrown when the client did not respond in time. */
class LateError extends Error {}

/** Rejects at a time of the monotonic clock, because a client may wait indefinitely. */
async function within<T>(work: Promise<T>, deadline: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new LateError('late')),
      Math.max(1, deadline - performance.now()),
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}

/** Whether Redis responded with an error for which a retry does not help. */
function isRefusal(error: unknown): boolean {
  const codes = /^(?:ERR|WRONGTYPE|NOAUTH|WRONGPASS|NOPERM|OOM|MISCONF|CROSSSLOT|NOREPLICAS) /
  return codes.test(messageOf(error))
}

/** Whether the key belongs to another server of a cluster. */
function isRedirection(error: unknown): boolean {
  return /^(?:MOVED|ASK) /.test(messageOf(error))
}

/** Whether a former master is now a replica. */
function isReplica(error: unknown): boolean {
  return messageOf(error).startsWith('READONLY ')
}

/** A system error's code, or that of a reply such as `LOADING`, or the class: other parts may quote a value. */
function causeOf(error: unknown): string {
  const reply = /^([A-Z]{4,20})(?: |$)/.exec(messageOf(error))?.[1]
  const first = error instanceof AggregateError ? (error.errors as readonly unknown[])[0] : error
  const system = systemErrorCode(error) ?? systemErrorCode(first)
  return system ?? reply ?? classOf(error)
}

/** The class of a client's error, which has no `name`. */
function classOf(error: unknown): string {
  const name = error instanceof Error ? error.constructor.name : ''
  return /^[A-Za-z]{1,63}$/.test(name) ? name : 'Error'
}

function notForCluster(operation: StoreOperation): StoreError {
  return new StoreError(
    operation,
    'This Redis is a cluster, and the `client` is one for a single server.',
    { remedy: 'Pass createCluster(), or the `url` of one of its servers.' },
  )
}

function refused(operation: StoreOperation, error: unknown): StoreError {
  const code = /^[A-Z]+/.exec(messageOf(error))?.[0] ?? 'ERR'
  if (code === 'WRONGTYPE' && operation === 'get') return noText()
  const isSetUp = /^(?:WRONGTYPE|NOAUTH|WRONGPASS|NOPERM|CROSSSLOT)$/.test(code)
  return new StoreError(operation, `Redis refused the command (${code}).`, {
    ...(isSetUp ? setUpError : { retryable: true }),
    remedy: "Check the password, the user's permissions and the memory of Redis.",
  })
}

function closed(operation: StoreOperation): StoreError {
  return new StoreError(operation, 'The `client` of redisStore has been closed.', {
    ...setUpError,
    remedy: 'Close it after the last use of the store, or connect it again; or pass a `url`.',
  })
}

function noText(): StoreError {
  return new StoreError('get', 'The value in Redis is not a record.', {
    ...setUpError,
    reason: 'unusable_record',
    remedy: 'Nothing was deleted. Find out who wrote it, or log in again to replace it.',
  })
}

function unreachable(
  operation: StoreOperation,
  { url, timeout }: RedisConnectionOptions,
  error: unknown,
): StoreError {
  const where = url !== undefined && URL.canParse(url) ? ` at ${new URL(url).host}` : ''
  const why = error instanceof LateError ? `no response within ${timeout} s` : causeOf(error)
  return new StoreError(operation, `Redis${where} cannot be reached (${why}).`, {
    retryable: true,
    remedy: 'Stored records are untouched; a credential that is still valid remains in use.',
  })
}
