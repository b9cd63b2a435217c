import dns from 'node:dns'
import net from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { authorizedFetch, bearer, withCredentials } from '../../src/index.ts'
import { publicFetch } from '../../src/node/index.ts'
import { clientCredentials } from '../../src/oauth/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { sdks } from '../support/sdk.ts'

const publicAddress = '93.184.216.34'

/** Resolves every name to these addresses, and tells how often that was asked for. */
function resolveTo(...addresses: readonly string[]) {
  const answer = addresses.map((address) => ({ address, family: net.isIP(address) }))
  const lookup = (_name: string, options: { all?: boolean }, done: (...args: unknown[]) => void) =>
    options.all === true ? done(null, answer) : done(null, addresses[0], answer[0]?.family)
  return vi.spyOn(dns, 'lookup').mockImplementation(lookup as never)
}

/** The port of a server here, whose connections for public addresses end up at. */
function divertConnections(port: number) {
  const connected: unknown[] = []
  const connect = net.connect.bind(net)
  vi.spyOn(net, 'connect').mockImplementation(((options: net.TcpNetConnectOpts) => {
    const lookup: net.LookupFunction = (name, wanted, done) => {
      options.lookup?.(name, wanted, (error, found) => {
        if (error !== null) return done(error, found)
        connected.push(found)
        done(null, [{ address: '127.0.0.1', family: 4 }])
      })
    }
    return connect({ ...options, port, lookup })
  }) as never)
  return connected
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('row 66: publicFetch', () => {
  test.each(['127.0.0.1', 'localhost', '2130706433'])('sends nothing to %s', async (host) => {
    const origin = await recordingOrigin()
    const { port } = new URL(origin.origin)
    await expect(publicFetch()(`http://${host}:${port}/`)).rejects.toMatchObject({
      code: 'private_address',
      message: expect.stringMatching(/no connection was made.* Use another `fetch`/),
    })
    expect(origin.requests).toEqual([])
  })

  test.each([
    ['a private address', ['10.0.0.1']],
    ['the metadata service of a cloud', ['169.254.169.254']],
    ['an IPv4 address within IPv6', ['::ffff:127.0.0.1']],
    ['an address behind NAT64', ['64:ff9b::7f00:1']],
    ['a public and a private address', [publicAddress, '127.0.0.1']],
  ])('sends nothing to a name with %s', async (_what, addresses) => {
    const origin = await recordingOrigin()
    resolveTo(...addresses)
    const url = `http://mcp.example.com:${new URL(origin.origin).port}/`
    await expect(publicFetch()(url)).rejects.toMatchObject({
      code: 'private_address',
      message: expect.stringContaining('mcp.example.com'),
    })
    expect(origin.requests).toEqual([])
  })

  test('connects to the very address that it checked, so that the name is resolved once', async () => {
    const origin = await recordingOrigin((_request, response) => response.end('hello'))
    const lookup = resolveTo(publicAddress)
    const connected = divertConnections(Number(new URL(origin.origin).port))
    const response = await publicFetch()('http://mcp.example.com/a', { method: 'POST', body: 'x' })
    expect(await response.text()).toBe('hello')
    expect(lookup).toHaveBeenCalledTimes(1)
    expect(connected).toEqual([[{ address: publicAddress, family: 4 }]])
    expect(origin.requests[0]).toMatchObject({ method: 'POST', url: '/a', body: 'x' })
  })

  test('keeps a login away from a private network, whatever the documents say', async () => {
    const inside = await recordingOrigin()
    const provider = clientCredentials({
      clientId: 'agent',
      clientSecret: 'secret',
      issuer: inside.origin,
    })
    const send = authorizedFetch(provider, {
      resource: `${inside.origin}/mcp`,
      fetch: publicFetch(),
    })
    await expect(send.manager.credential()).rejects.toThrow('no connection was made')
    expect(inside.requests).toEqual([])
  })

  test.each(sdks)('fails a connection with its own error ($name)', async (sdk) => {
    const inside = await recordingOrigin()
    const url = new URL(`${inside.origin}/mcp`)
    const fetch = withCredentials(bearer('secret'), { fetch: publicFetch() }).fetch
    await expect(sdk.client().connect(sdk.streamable(url, { fetch }))).rejects.toMatchObject({
      code: 'private_address',
    })
    expect(inside.requests).toEqual([])
  })
})
