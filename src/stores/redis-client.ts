/**
 * Clients of the package `redis`, for one server or for a cluster.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'

/** The part of a client of the package `redis` that is used. */
export interface RedisClient {
  /** Whether it is connected or connecting. */
  readonly isOpen: boolean
  /** Connects. */
  connect(): Promise<unknown>
  /** Sends one command. */
  sendCommand(args: readonly string[]): Promise<unknown>
}

/** The part of a cluster client of the package `redis` (`createCluster`) that is used. */
export interface RedisClusterClient {
  /** Whether it is connected or connecting. */
  readonly isOpen: boolean
  /** The masters that it knows. */
  readonly masters: readonly object[]
  /** The master of each slot. */
  readonly slots: readonly {
    /** The server that accepts its writes. */
    readonly master: object
  }[]
  /** Connects. */
  connect(): Promise<unknown>
  /** The client of one server. */
  nodeClient(node: never): Promise<RedisClient> | RedisClient
  /** Sends one command to the master of a key, even after the key has moved. */
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
  ): Promise<unknown>
}

/** Further methods of the clients that are created here. */
interface OwnClient {
  on(event: 'error', listener: () => void): unknown
  unref?(): void
  destroy?(): void
}

/** Another server of a cluster. */
export interface RedisNode {
  readonly host: string
  readonly port: number
}

/** Whether a client is for a cluster. */
export function isClusterClient(
  client: RedisClient | RedisClusterClient,
): client is RedisClusterClient {
  return 'nodeClient' in client
}

/**
 * Makes a client for one server.
 *
 * @throws {@link ConfigurationError} when the package `redis` is not installed.
 */
export async function createServerClient(url: string): Promise<RedisClient> {
  const { createClient } = await loadRedis()
  const client = createClient({ url, disableOfflineQueue: true, socket: { ...noReconnect } })
  const own = client as unknown as RedisClient & OwnClient
  // Without a listener the process would end; the command that failed reports the error.
  own.on('error', () => {})
  own.unref?.()
  return own
}

/**
 * Makes a client for the cluster of a server.
 *
 * @param nodes - Other servers of it, in case that one fails.
 */
export async function createClusterClient(
  url: string,
  nodes: readonly RedisNode[],
): Promise<RedisClusterClient> {
  const { createCluster } = await loadRedis()
  const { protocol, username, password } = new URL(url)
  const tls = protocol === 'rediss:' ? { tls: true as const } : {}
  const client = createCluster({
    rootNodes: [{ url }, ...nodes.map((socket) => ({ socket: { ...socket, ...tls } }))],
    defaults: {
      disableOfflineQueue: true,
      socket: { ...noReconnect, ...tls },
      ...(username === '' ? {} : { username: decodeURIComponent(username) }),
      ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    },
    // A failed master must not prevent the use of the others.
    minimizeConnections: true,
  })
  const own = client as unknown as RedisClusterClient & OwnClient
  own.on('error', () => {})
  return own
}

/** Lets the process exit while the servers of a cluster are connected, as with the client of one server. */
export function unrefServers(client: RedisClient | RedisClusterClient): void {
  if (!isClusterClient(client)) return
  for (const { client: own } of client.masters as readonly { client?: Partial<OwnClient> }[]) {
    own?.unref?.()
  }
}

/** Closes a client that was created here. */
export function destroyClient(client: RedisClient | RedisClusterClient): void {
  try {
    ;(client as Partial<OwnClient>).destroy?.()
  } catch {
    // It is already closed.
  }
}

/** Whether a client is a pool or a sentinel, which have different commands, and do not expose their servers. */
export function isOtherClient(client: object | undefined): boolean {
  return client !== undefined && ('totalClients' in client || 'getSentinelNode' in client)
}

/** The server options of a client of the package `redis`. */
interface ServerOptions {
  readonly url?: string
  readonly socket?: { readonly host?: unknown; readonly tls?: unknown }
}

/** The other machine to which a connection is not encrypted; `undefined`: none is known. */
export function unencryptedHost(
  url: string | undefined,
  client: object | undefined,
): string | undefined {
  if (url !== undefined) return plainHost({ url })
  const { options, _options: ofCluster } = (client ?? {}) as {
    options?: ServerOptions
    _options?: { rootNodes?: readonly ServerOptions[]; defaults?: ServerOptions }
  }
  // Its URL is a part of the options of its socket.
  if (ofCluster === undefined) return plainHost({ socket: options?.socket ?? {} })
  const { rootNodes = [], defaults } = ofCluster
  for (const { url: at, socket } of rootNodes) {
    if (at !== undefined && !URL.canParse(at)) continue
    const server = at === undefined ? { socket: { ...defaults?.socket, ...socket } } : { url: at }
    // It connects to the servers that the first one names with only the defaults.
    const host = plainHost(server) ?? (isEncrypted(defaults) ? undefined : otherHost(server))
    if (host !== undefined) return host
  }
  return undefined
}

function plainHost(server: ServerOptions): string | undefined {
  return isEncrypted(server) ? undefined : otherHost(server)
}

function isEncrypted({ url, socket }: ServerOptions = {}): boolean {
  return url === undefined ? socket?.tls === true : new URL(url).protocol === 'rediss:'
}

/** The host of a server on another machine. */
function otherHost({ url, socket }: ServerOptions): string | undefined {
  const host = url === undefined ? socket?.host : new URL(url).hostname
  return typeof host !== 'string' || isThisMachine(host) ? undefined : host
}

// The next command reconnects: a reconnection timer would keep the process running.
const noReconnect = { reconnectStrategy: false } as const

function isThisMachine(host: string): boolean {
  return host === '' || /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[?::1\]?)$/.test(host)
}

async function loadRedis() {
  return import('redis').catch(() => {
    throw new ConfigurationError('redis', 'redisStore: the package redis is not installed.', {
      remedy: 'Run `npm install redis`, or pass a `client`.',
    })
  })
}
