/**
 * Who is at the other end of a connection on this machine.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/**
 * Whether a connection on this machine is known to be from another user. Linux alone says so; elsewhere, and
 * for the superuser (whose relays forward connections into WSL and containers), the answer is `false`.
 */
export async function isFromOtherUser(socket: Socket): Promise<boolean> {
  const own = process.getuid?.()
  const { remotePort, localPort } = socket
  if (process.platform !== 'linux' || own === undefined) return false
  const tables = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'latin1').catch(() => '')),
  )
  const owner = ownerOf(tables.join('\n'), remotePort, localPort)
  return owner !== undefined && owner !== own && !trustedOwners.has(owner)
}

// The superuser, and the number that stands for users whom a container does not know.
const trustedOwners: ReadonlySet<number> = new Set([0, 65_534])

/** The user who holds the end of a connection that has these ports (proc_net(5)). */
export function ownerOf(
  table: string,
  port: number | undefined,
  peerPort: number | undefined,
): number | undefined {
  const hex = (number = 0) => number.toString(16).toUpperCase().padStart(4, '0')
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', , , , , user] = line.trim().split(/\s+/)
    if (local.endsWith(`:${hex(port)}`) && remote.endsWith(`:${hex(peerPort)}`)) return Number(user)
  }
  return undefined
}
