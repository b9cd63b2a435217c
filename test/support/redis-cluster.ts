import { createClient } from 'redis'
import { vi } from 'vitest'
import { freePort, type RedisServer, redisServer } from './redis-server.ts'

/** A real Redis Cluster of three masters, one of which may have a replica. */
export interface RedisCluster {
  readonly masters: readonly RedisServer[]
  /** The master that has the slot of this key. */
  masterOf(key: string): Promise<RedisServer>
  /** Starts a replica of a master, and waits until it has its data. */
  replicaOf(master: RedisServer): Promise<RedisServer>
  /** Waits until a replica has everything that its master has. */
  caughtUp(replica: RedisServer, master: RedisServer): Promise<void>
  /** Waits until a replica has replaced its master. */
  promoted(replica: RedisServer): Promise<void>
  remove(): Promise<void>
}

/** Sends one command to one server. */
export async function command(url: string, ...args: string[]): Promise<unknown> {
  const client = createClient({ url, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  await client.connect()
  try {
    return await client.sendCommand(args)
  } finally {
    client.destroy()
  }
}

async function replication({ url }: RedisServer): Promise<string> {
  return String(await command(url, 'INFO', 'replication'))
}

const slots = 16_384

/** Waits until something holds of the servers, which talk among themselves. */
function until(holds: () => Promise<boolean>): Promise<void> {
  const check = async () => {
    if (!(await holds())) throw new Error('the cluster did not get there in time')
  }
  return vi.waitFor(check, { timeout: 20_000, interval: 50 })
}

export async function redisCluster(): Promise<RedisCluster> {
  const busPorts = new Map<RedisServer, number>()
  const start = async () => {
    const busPort = await freePort()
    const server = await redisServer({
      'cluster-enabled': 'yes',
      'cluster-port': busPort,
      'cluster-node-timeout': 1000,
      // A replica that was suspended has older data; it replaces its master all the same.
      'cluster-replica-validity-factor': 0,
    })
    await server.start()
    busPorts.set(server, busPort)
    return server
  }
  const masters = await Promise.all([start(), start(), start()])
  const [first] = masters
  if (first === undefined) throw new Error('there is no server')
  const meet = (server: RedisServer) => {
    const { hostname, port } = new URL(server.url)
    return command(first.url, 'CLUSTER', 'MEET', hostname, port, String(busPorts.get(server)))
  }
  const share = Math.ceil(slots / masters.length)
  for (const [index, { url }] of masters.entries()) {
    const range = [index * share, Math.min(slots, (index + 1) * share) - 1]
    await command(url, 'CLUSTER', 'ADDSLOTSRANGE', ...range.map(String))
  }
  for (const server of masters.slice(1)) await meet(server)
  const isFormed = async () => {
    const states = await Promise.all(masters.map(({ url }) => command(url, 'CLUSTER', 'INFO')))
    return states.every((text) => /cluster_state:ok[\s\S]*cluster_size:3/.test(String(text)))
  }
  await until(isFormed)
  const replicas: RedisServer[] = []
  return {
    masters,
    async masterOf(key) {
      const slot = Number(await command(first.url, 'CLUSTER', 'KEYSLOT', key))
      return masters[Math.floor(slot / share)] ?? first
    },
    async replicaOf(master) {
      const id = String(await command(master.url, 'CLUSTER', 'MYID'))
      const replica = await start()
      replicas.push(replica)
      await meet(replica)
      const knows = async () => String(await command(replica.url, 'CLUSTER', 'NODES')).includes(id)
      await until(knows)
      await command(replica.url, 'CLUSTER', 'REPLICATE', id)
      await until(async () => (await replication(replica)).includes('master_link_status:up'))
      // The other nodes must have heard of it, or none would vote for it.
      const own = String(await command(replica.url, 'CLUSTER', 'MYID'))
      const known = async () => {
        const views = await Promise.all(masters.map(({ url }) => command(url, 'CLUSTER', 'NODES')))
        return views.every((view) => new RegExp(`${own}.*slave ${id}`).test(String(view)))
      }
      await until(known)
      return replica
    },
    caughtUp: (replica, master) =>
      until(async () => {
        const offset = /master_repl_offset:(\d+)/
        const all = await Promise.all([replication(master), replication(replica)])
        const [written, received] = all.map((text) => Number(offset.exec(text)?.[1]))
        return Number(received) >= Number(written)
      }),
    promoted: (replica) => until(async () => (await replication(replica)).includes('role:master')),
    async remove() {
      await Promise.all([...masters, ...replicas].map((server) => server.remove()))
    },
  }
}
