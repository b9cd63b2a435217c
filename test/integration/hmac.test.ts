import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type HmacServer,
  type HmacServerOptions,
  startHmacServer,
} from '../../examples/servers/hmac-server.ts'
import type { RecordedRequest } from '../../examples/servers/mcp-server.ts'
import { authorizedFetch, type CredentialProvider, withCredentials } from '../../src/index.ts'
import { hmac } from '../../src/providers/hmac.ts'
import { until } from '../support/tokens.ts'

const text = 'Zoë pays 10 €, "quoted"\n\u2028𝄞'
const tenMinutes = 600_000

async function started(options: HmacServerOptions): Promise<HmacServer> {
  const server = await startHmacServer(options)
  onTestFinished(() => server.close())
  return server
}

async function connected(
  server: HmacServer,
  provider: CredentialProvider,
  options: Parameters<typeof withCredentials>[1] = {},
): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  onTestFinished(() => client.close())
  const { fetch } = withCredentials(provider, options)
  await client.connect(new StreamableHTTPClientTransport(server.url, { fetch }))
  return client
}

const whoAmI = async (client: Client) => JSON.stringify(await client.callTool({ name: 'whoami' }))

const echo = (client: Client) => client.callTool({ name: 'echo', arguments: { text } })

const hasStream = (server: HmacServer) => () =>
  server.requests.some(({ method, status }) => method === 'GET' && status !== 0)

/** Sends a recorded request by hand, as somebody would who read it on the way. */
function sendAgain(server: HmacServer, request: RecordedRequest, body = request.body) {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    const isOwn = ['host', 'connection', 'content-length', 'transfer-encoding'].includes(name)
    if (!isOwn && typeof value === 'string') headers.set(name, value)
  }
  const { method } = request
  return fetch(server.url, { method, headers, ...(method === 'POST' ? { body } : {}) })
}

function recordedEcho(server: HmacServer): RecordedRequest {
  const request = server.requests.find(({ body }) => body.includes('"echo"'))
  if (request === undefined) throw new Error('There was no echo.')
  return request
}

const challengeOf = (response: Response) => response.headers.get('WWW-Authenticate')

describe('hmac() against a server that verifies', () => {
  it('signs every request, over the very bytes that are sent', async () => {
    const server = await started({ secrets: { alice: 's1' } })
    const bodies: string[] = []
    const client = await connected(server, hmac({ secret: 's1' }), {
      fetch: (input, init) => {
        if (typeof init?.body === 'string') bodies.push(init.body)
        return fetch(input, init)
      },
    })

    await client.listTools()
    const { content } = await echo(client)
    await until(hasStream(server), 'the GET stream')

    expect(content).toEqual([{ type: 'text', text }])
    expect(await whoAmI(client)).toContain('alice')
    expect(server.requests.every(({ authenticated }) => authenticated)).toBe(true)
    const methods = new Set(server.requests.map(({ method }) => method))
    expect([...methods].sort()).toEqual(['GET', 'POST'])
    expect(bodies).toHaveLength(5)
    const received = server.requests.filter(({ method }) => method === 'POST')
    expect(received.map(({ body }) => body)).toEqual(bodies)
  })

  it('signs bytes that are no text', async () => {
    const server = await started({ secrets: { alice: 's1' } })
    const send = authorizedFetch(hmac({ secret: 's1' }), { resource: server.url })

    await send(server.url, { method: 'POST', body: Uint8Array.of(0, 0xff, 0xc3, 0x28) })

    // The server lets it in, and then finds that it is no JSON.
    expect(server.requests).toMatchObject([{ authenticated: true, status: 400 }])
  })

  it('keeps a tampered body and a replayed request out', async () => {
    const server = await started({ secrets: { alice: 's1' } })
    const client = await connected(server, hmac({ secret: 's1' }))
    await echo(client)
    await until(hasStream(server), 'the GET stream')
    const request = recordedEcho(server)
    const stream = server.requests.find(({ method }) => method === 'GET')

    const tampered = await sendAgain(server, request, request.body.replace('10 €', '99 €'))
    const replayed = await sendAgain(server, request)
    const replayedStream = stream && (await sendAgain(server, stream))

    expect([tampered.status, challengeOf(tampered)]).toEqual([
      401,
      'HMAC-SHA256 realm="example", error="invalid_signature"',
    ])
    expect([replayed.status, challengeOf(replayed)]).toEqual([
      401,
      'HMAC-SHA256 realm="example", error="replayed"',
    ])
    expect(replayedStream?.status).toBe(401)
  })

  it('keeps out what was held back until the replay window was over', async () => {
    let ahead = 0
    const server = await started({ secrets: { alice: 's1' }, now: () => Date.now() + ahead })
    const client = await connected(server, hmac({ secret: 's1' }))
    await echo(client)

    ahead = 301_000
    const late = await sendAgain(server, recordedEcho(server))

    expect(challengeOf(late)).toBe('HMAC-SHA256 realm="example", error="stale_timestamp"')
  })

  for (const [title, offset] of [
    ['slow', -tenMinutes],
    ['fast', tenMinutes],
  ] as const) {
    it(`heals a clock that is ten minutes ${title}, with one retry`, async () => {
      const server = await started({ secrets: { alice: 's1' } })
      const client = await connected(server, hmac({ secret: 's1' }), {
        now: () => Date.now() + offset,
      })

      await client.listTools()
      expect(await whoAmI(client)).toContain('alice')
      await until(hasStream(server), 'the GET stream')

      const refused = server.requests.filter(({ status }) => status === 401)
      expect(refused).toHaveLength(1)
      const [first, second] = server.requests
      expect(first).toBe(refused[0])
      expect(second?.body).toBe(first?.body)
      expect(second?.headers['x-signature']).not.toBe(first?.headers['x-signature'])
      const healed = Number(second?.headers['x-timestamp'])
      const wrong = Number(first?.headers['x-timestamp'])
      expect(Math.abs(healed - wrong + offset / 1000)).toBeLessThanOrEqual(5)
    })
  }

  it('goes on with a rotated secret after one 401', async () => {
    const server = await started({ secrets: { alice: 's1' } })
    let secret = 's1'
    const client = await connected(server, hmac({ secret: () => secret }))
    await until(hasStream(server), 'the GET stream')

    server.replaceSecrets({ alice: 's2' })
    secret = 's2'
    const before = server.requests.length

    expect(await whoAmI(client)).toContain('alice')
    expect(server.requests.slice(before).map(({ status }) => status)).toEqual([401, 200])
  })

  it('gives up after one retry when the secret is wrong', async () => {
    const server = await started({ secrets: { alice: 's1' } })

    await expect(connected(server, hmac({ secret: 'wrong' }))).rejects.toThrow()

    expect(server.requests.map(({ status }) => status)).toEqual([401, 401])
  })

  it('tells clients apart by their key id', async () => {
    const server = await started({ secrets: { alice: 's1', bob: 's2' } })
    const [alice, bob] = await Promise.all([
      connected(server, hmac({ secret: 's1', keyId: 'alice' })),
      connected(server, hmac({ secret: 's2', keyId: 'bob' })),
    ])

    expect(await whoAmI(alice)).toContain('alice')
    expect(await whoAmI(bob)).toContain('bob')
    await expect(connected(server, hmac({ secret: 's1', keyId: 'bob' }))).rejects.toThrow()
  })

  it('lets clients that share a secret work at once, by a nonce', async () => {
    const server = await started({ secrets: { alice: 's1' }, nonceHeader: 'X-Nonce' })
    const provider = hmac({
      secret: 's1',
      nonceHeader: 'X-Nonce',
      message: '{timestamp}.{nonce}.{body}',
    })

    const clients = await Promise.all([1, 2, 3].map(() => connected(server, provider)))
    const answers = await Promise.all(clients.map(whoAmI))

    for (const answer of answers) expect(answer).toContain('alice')
    expect(server.requests.filter(({ status }) => status === 401)).toEqual([])
    const replayed = await sendAgain(server, server.requests[0] as RecordedRequest)
    expect(challengeOf(replayed)).toContain('replayed')
  })
})
