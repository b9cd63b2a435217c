/**
 * Checks the owner of the other end of a connection on this machine.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { isIPv4, type Socket } from 'node:net'
import { endianness } from 'node:os'

/** One end of a TCP connection. */
export interface ConnectionEnd {
  /** An IPv4 or IPv6 address; an IPv4-mapped IPv6 address equals the IPv4 address. */
  readonly address: string
  readonly port: number
}

const connectionTables = ['/proc/net/tcp', '/proc/net/tcp6']

/**
 * Returns whether the other end of a connection on this machine is known to belong to this user, or
 * to the superuser (whose relays forward connections into WSL and containers). A connection that is
 * closed, or whose owner is not known, is not trusted. Only Linux lists the owners of connections:
 * elsewhere, and where the lists are missing, every connection is trusted.
 *
 * @param tables - The lists of connections, in the format of proc_net(5).
 */
export async function isFromTrustedUser(
  socket: Socket,
  tables: readonly string[] = connectionTables,
): Promise<boolean> {
  const own = process.getuid?.()
  if (process.platform !== 'linux' || own === undefined) return true
  const { remoteAddress, remotePort, localAddress, localPort } = socket
  if (remoteAddress === undefined || remotePort === undefined) return false
  if (localAddress === undefined || localPort === undefined) return false
  const texts = await Promise.all(tables.map(readTable)).catch(() => undefined)
  if (texts === undefined) return false
  if (texts.every((text) => text === undefined)) return true
  const end = { address: remoteAddress, port: remotePort }
  const peer = { address: localAddress, port: localPort }
  const owner = ownerOf(texts.join('\n'), end, peer)
  return owner !== undefined && (owner === own || trustedOwners.has(owner))
}

// The superuser, and the ID that represents users outside the container.
const trustedOwners: ReadonlySet<number> = new Set([0, 65_534])

// The errors of a system without such a list, or with a protected one. Any other failure may be caused by
// another user, who can exhaust the file descriptors of this process by connecting to it.
const unavailable: ReadonlySet<unknown> = new Set(['ENOENT', 'EACCES', 'EPERM'])

/** Reads a list of connections; `undefined` when the system has none. Rejects when it cannot be read. */
async function readTable(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'latin1')
  } catch (error) {
    if (unavailable.has((error as NodeJS.ErrnoException).code)) return undefined
    throw error
  }
}

/**
 * Returns the user who holds one end of an established connection (proc_net(5)); `undefined` unless exactly
 * one line matches. The kernel lists the owner of closed connections, which no process holds, as user 0.
 *
 * @param order - The byte order of the machine that wrote the table. Default: that of this machine.
 */
export function ownerOf(
  table: string,
  end: ConnectionEnd,
  peer: ConnectionEnd,
  order: 'BE' | 'LE' = endianness(),
): number | undefined {
  const wanted = [canonicalEnd(end), canonicalEnd(peer)]
  const owners: number[] = []
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', state, , , , user, , inode] = line.trim().split(/\s+/)
    if (state !== established || inode === noInode) continue
    if (!local.endsWith(hexPort(end.port)) || !remote.endsWith(hexPort(peer.port))) continue
    const found = [local, remote].map((text) => canonicalEnd(parseEnd(text, order)))
    if (found.every((text, index) => text === wanted[index])) owners.push(Number(user))
  }
  return owners.length === 1 ? owners[0] : undefined
}

const established = '01'
const noInode = '0'

const hexPort = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`

/** Normalizes an end: URLs have one form of an IPv6 address. */
function canonicalEnd({ address, port }: ConnectionEnd): string {
  const [withoutZone = ''] = address.split('%')
  const ipv6 = isIPv4(withoutZone) ? `::ffff:${withoutZone}` : withoutZone
  return `${new URL(`http://[${ipv6}]`).hostname}:${port}`
}

/** Parses an end as the kernel writes it: 32-bit words of the address in the machine's byte order, and a port. */
function parseEnd(text: string, order: 'BE' | 'LE'): ConnectionEnd {
  const [hex = '', port = ''] = text.split(':')
  const words = hex.match(/.{8}/g) ?? []
  const groups = words.flatMap((word) => {
    const bytes = word.match(/../g) ?? []
    const [first, second, third, fourth] = order === 'LE' ? bytes.reverse() : bytes
    return [`${first}${second}`, `${third}${fourth}`]
  })
  const prefix = words.length === 1 ? '::ffff:' : ''
  return { address: `${prefix}${groups.join(':')}`, port: Number.parseInt(port, 16) }
}
