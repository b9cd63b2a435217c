import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type LoopbackListener, listenForCallback } from '../../src/oauth/loopback.ts'
import { isFromTrustedUser, ownerOf } from '../../src/oauth/other-user.ts'

const isRoot = process.getuid?.() === 0
const isLinux = process.platform === 'linux'
const authorizationUrl = new URL('https://as.example/authorize?state=of-this-login')

async function listener(
  host = '127.0.0.1',
  isTrusted?: (socket: Socket) => Promise<boolean>,
): Promise<LoopbackListener> {
  const redirectUri = new URL(`http://${host}/callback`)
  const options = { redirectUri, preferredPort: undefined, state: 'of-this-login' }
  const opened = await listenForCallback(options, isTrusted)
  onTestFinished(() => opened.close())
  return opened
}

/** Runs a script as a user who is neither this one nor the superuser, with the variables `net` and `url`. */
async function asOtherUser(address: string, script: string): Promise<string> {
  const program = `const net = require('node:net'); const { once } = require('node:events')
const url = new URL(${JSON.stringify(address)})
const port = Number(url.port)
const get = 'GET ' + url.pathname + ' HTTP/1.1\\r\\nHost: ' + url.host + '\\r\\n\\r\\n'
const statusOf = async (socket) => {
  let text = ''
  socket.setEncoding('utf8').on('data', (part) => { text += part })
  socket.write(get)
  await once(socket, 'close')
  return text.split('\\r\\n')[0]
}
;(async () => {${script}})()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--eval', program], {
    uid: 12_345,
    gid: 12_345,
    cwd: '/',
  })
  return stdout.trim()
}

const visit = (address: string) => fetch(address, { redirect: 'manual' })

/** Requests the page from a socket that is closed before there can be a response. */
async function requestAndLeave(address: string): Promise<void> {
  const { hostname, port, host, pathname } = new URL(address)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  // Both at the same time, so that the server reads the request after the socket was closed.
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  socket.destroy()
  await once(socket, 'close')
}

test('the page redirects to the authorization URL once', async () => {
  const page = (await listener()).showOnce(authorizationUrl)
  const first = await visit(page.address)
  const second = await visit(page.address)
  expect([first.status, first.headers.get('location')]).toEqual([303, authorizationUrl.href])
  expect([second.status, second.headers.get('location')]).toEqual([410, null])
  await page.repeated
})

test.runIf(isRoot && isLinux)(
  'closed connections with the same ports from other loopback addresses do not admit another user',
  async () => {
    const { address } = (await listener()).showOnce(authorizationUrl)
    const status = await asOtherUser(
      address,
      `
let localPort = 0
for (let last = 2; last < 60; last += 1) {
  const decoy = net.connect({ host: url.hostname, port, localAddress: '127.0.0.' + last, localPort })
  await once(decoy, 'connect')
  localPort = decoy.localPort
  decoy.end().resume()
  await once(decoy, 'close')
}
console.log(await statusOf(net.connect({ host: url.hostname, port, localAddress: '127.0.0.1', localPort })))`,
    )
    expect(status).toBe('HTTP/1.1 403 Forbidden')
    expect((await visit(address)).status).toBe(303)
  },
  20_000,
)

test.runIf(isRoot && isLinux)(
  'another user who closes the connection immediately does not use up the page',
  async () => {
    const { address } = (await listener()).showOnce(authorizationUrl)
    await asOtherUser(
      address,
      `
for (let count = 0; count < 10; count += 1) {
  const socket = net.connect(port, url.hostname)
  await once(socket, 'connect')
  socket.write(get, () => socket.destroy())
  await once(socket, 'close')
}`,
    )
    expect((await visit(address)).status).toBe(303)
  },
  20_000,
)

test.runIf(isRoot && isLinux).each([
  ['127.0.0.1', '127.0.0.1'],
  ['[::1]', '::1'],
  ['127.0.0.1', '::ffff:127.0.0.1'],
])(
  'another user is rejected by the listener at %s on a socket for %s, and the own user is not',
  async (host, client) => {
    const { address } = (await listener(host)).showOnce(authorizationUrl)
    const connection = `net.connect(port, ${JSON.stringify(client)})`
    const status = await asOtherUser(address, `console.log(await statusOf(${connection}))`)
    expect(status).toBe('HTTP/1.1 403 Forbidden')
    const { port, pathname } = new URL(address)
    const socket = connect(Number(port), client).setEncoding('utf8')
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    const [response] = await once(socket, 'data')
    expect(response).toMatch(/^HTTP\/1\.1 303 /)
  },
  20_000,
)

test.runIf(isLinux)(
  'a connection that its own user closed immediately does not use up the page',
  async () => {
    const page = (await listener()).showOnce(authorizationUrl)
    for (let count = 0; count < 10; count += 1) await requestAndLeave(page.address)
    expect((await visit(page.address)).status).toBe(303)
  },
)

test('a request whose connection closes during the user check does not use up the page', async () => {
  const lookUp = vi.fn(async (socket: Socket) => {
    await once(socket, 'close')
    return true
  })
  const page = (await listener('127.0.0.1', (socket) => lookUp(socket))).showOnce(authorizationUrl)
  await requestAndLeave(page.address)
  await vi.waitFor(() => expect(lookUp.mock.settledResults[0]?.type).toBe('fulfilled'))
  lookUp.mockResolvedValue(true)
  expect((await visit(page.address)).status).toBe(303)
})

/** Both ends of a new connection. */
async function connection(): Promise<{ client: Socket; accepted: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const address = server.address()
  const client = connect(typeof address === 'object' && address !== null ? address.port : 0)
  onTestFinished(() => void client.destroy())
  const [accepted] = (await once(server, 'connection')) as [Socket]
  onTestFinished(() => void accepted.destroy())
  return { client, accepted }
}

test.runIf(isLinux)('the other end of a connection is trusted until it is closed', async () => {
  const { client, accepted } = await connection()
  expect(await isFromTrustedUser(accepted)).toBe(true)
  client.end()
  await once(accepted.resume(), 'end')
  expect(accepted.writable).toBe(true)
  expect(await isFromTrustedUser(accepted)).toBe(false)
})

test.runIf(isLinux)('a socket without a remote address is not trusted', async () => {
  const { accepted } = await connection()
  accepted.destroy()
  expect(await isFromTrustedUser(accepted)).toBe(false)
})

test.runIf(isLinux)(
  'no connection is trusted if the list of connections cannot be read',
  async () => {
    // Like a process without free file descriptors, which other users can cause.
    const { accepted } = await connection()
    expect(await isFromTrustedUser(accepted, ['/proc/self/'])).toBe(false)
  },
)

test.runIf(isLinux)(
  'every connection is trusted on a system without a list of connections',
  async () => {
    const { accepted } = await connection()
    expect(await isFromTrustedUser(accepted, ['/proc/none/tcp'])).toBe(true)
  },
)

// In the format of a little-endian machine.
const header =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const line = (local: string, remote: string, state: string, uid: number, inode: number) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 ${inode} 1 0 20 4 30 10 -1`
const browser = { address: '127.0.0.1', port: 50_000 }
const listening = { address: '127.0.0.1', port: 8080 }
const owner = (...lines: string[]) =>
  ownerOf([header, ...lines].join('\n'), browser, listening, 'LE')
const established = line('0100007F:C350', '0100007F:1F90', '01', 1001, 3)

test('the owner of a connection is found by both addresses and ports', () => {
  expect(
    owner(
      line('0100007F:1F90', '00000000:0000', '0A', 7, 1),
      line('0100007F:1F90', '0100007F:C350', '01', 1000, 2),
      line('0200007F:C350', '0100007F:1F90', '01', 1002, 4),
      line('0100007F:C350', '0200007F:1F90', '01', 1003, 5),
      established,
    ),
  ).toBe(1001)
  expect(owner(line('0200007F:C350', '0100007F:1F90', '01', 1002, 4))).toBeUndefined()
  expect(owner(line('0100007F:C350', '0200007F:1F90', '01', 1003, 5))).toBeUndefined()
})

test.each(['02', '03', '04', '05', '06', '07', '08', '09', '0A', '0B', '0C'])(
  'a connection in state %s has no owner',
  (state) => {
    expect(owner(line('0100007F:C350', '0100007F:1F90', state, 0, 3))).toBeUndefined()
  },
)

test('a connection without a process has no owner', () => {
  expect(owner(line('0100007F:C350', '0100007F:1F90', '01', 0, 0))).toBeUndefined()
})

test('a connection that is listed twice has no owner', () => {
  const mapped = '0000000000000000FFFF00000100007F'
  expect(owner(established, line(`${mapped}:C350`, `${mapped}:1F90`, '01', 0, 9))).toBeUndefined()
})

test('an IPv4 connection of an IPv6 socket is found, whichever notation either end uses', () => {
  const mapped = '0000000000000000FFFF00000100007F'
  const table = line(`${mapped}:C350`, `${mapped}:1F90`, '01', 1001, 3)
  expect(owner(table)).toBe(1001)
  const end = { address: '::ffff:127.0.0.1', port: 50_000 }
  expect(ownerOf(table, end, listening, 'LE')).toBe(1001)
  expect(ownerOf(established, end, listening, 'LE')).toBe(1001)
})

test('an IPv6 connection is found on machines of either byte order', () => {
  const end = { address: '2001:db8::1', port: 50_000 }
  const peer = { address: '::1', port: 8080 }
  const little = line(
    'B80D0120000000000000000001000000:C350',
    '00000000000000000000000001000000:1F90',
    '01',
    1001,
    3,
  )
  const big = line(
    '20010DB8000000000000000000000001:C350',
    '00000000000000000000000000000001:1F90',
    '01',
    1002,
    3,
  )
  expect(ownerOf(little, end, peer, 'LE')).toBe(1001)
  expect(ownerOf(big, end, peer, 'BE')).toBe(1002)
  expect(ownerOf(big, end, peer, 'LE')).toBeUndefined()
})
