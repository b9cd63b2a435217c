import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { RecordedRequest } from '../../examples/servers/mcp-server.ts'
import {
  type SessionCredentials,
  type SigV4Server,
  type SigV4ServerOptions,
  startSigV4Server,
} from '../../examples/servers/sig-v4-server.ts'
import { awsSigV4 } from '../../src/aws/index.ts'
import { authorizedFetch, type CredentialProvider, withCredentials } from '../../src/index.ts'
import { until } from '../support/tokens.ts'

const text = 'Zoë pays 10 €, "quoted"\n\u2028𝄞'
const twentyMinutes = 1_200_000

async function started(options: SigV4ServerOptions = {}): Promise<SigV4Server> {
  const server = await startSigV4Server(options)
  onTestFinished(() => server.close())
  return server
}

const providerOf = (credentials: () => SessionCredentials): CredentialProvider =>
  awsSigV4({
    region: 'us-west-2',
    service: 'bedrock-agentcore',
    credentials,
  })

async function connected(
  server: SigV4Server,
  options: Parameters<typeof withCredentials>[1] = {},
  provider = providerOf(() => server.issue('alice', 3600)),
): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  onTestFinished(() => client.close())
  const { fetch } = withCredentials(provider, options)
  await client.connect(new StreamableHTTPClientTransport(server.url, { fetch }))
  await until(() => streamsOf(server).length > 0, 'the GET stream')
  return client
}

const streamsOf = (server: SigV4Server) =>
  server.requests.filter(({ method, status }) => method === 'GET' && status === 200)

const whoAmI = async (client: Client) => JSON.stringify(await client.callTool({ name: 'whoami' }))

const statusesOf = (requests: readonly RecordedRequest[]) => requests.map(({ status }) => status)

/** Sends a recorded request by hand, as somebody would who read it on the way. */
function sendAgain(url: URL, request: RecordedRequest, changes: Record<string, string> = {}) {
  const headers = new Headers()
  for (const [name, value] of Object.entries({ ...request.headers, ...changes })) {
    const isOwn = ['host', 'connection', 'content-length', 'transfer-encoding'].includes(name)
    if (!isOwn && typeof value === 'string') headers.set(name, value)
  }
  return fetch(url, { method: request.method, headers, body: changes['body'] ?? request.body })
}

describe('awsSigV4() against a server that verifies', () => {
  it('signs every request of a session', async () => {
    const server = await started()
    const client = await connected(server)

    await client.listTools()
    const { content } = await client.callTool({ name: 'echo', arguments: { text } })

    expect(content).toEqual([{ type: 'text', text }])
    expect(await whoAmI(client)).toContain('alice')
    await (client.transport as StreamableHTTPClientTransport).terminateSession()
    expect(server.requests.every(({ authenticated }) => authenticated)).toBe(true)
    const methods = new Set(server.requests.map(({ method }) => method))
    expect([...methods].sort()).toEqual(['DELETE', 'GET', 'POST'])
    const last = server.requests.at(-1)?.headers['authorization']
    expect(last).toContain('SignedHeaders=host;mcp-protocol-version;mcp-session-id;x-amz-')
  })

  it('signs a path and a query that need encoding', async () => {
    const server = await started()
    const send = authorizedFetch(
      providerOf(() => server.issue('alice', 3600)),
      { resource: server.url },
    )
    const url = new URL('/mcp/arn%3Aaws%3Ax%2Fü/a:b(c)?b=%2F%20&a=1&a=0&c', server.url)

    await send(url, { method: 'POST', body: Uint8Array.of(0, 0xff, 0xc3, 0x28) })

    expect(server.requests).toMatchObject([{ authenticated: true }])
  })

  it('keeps out a request of which anything that is signed was changed', async () => {
    const server = await started()
    const client = await connected(server)
    await client.callTool({ name: 'echo', arguments: { text: 'pay 10' } })
    const request = server.requests.find(({ body }) => body.includes('pay 10'))
    if (request === undefined) throw new Error('There was no echo.')

    const attempts = [
      await sendAgain(server.url, request),
      await sendAgain(server.url, request, { body: request.body.replace('10', '99') }),
      await sendAgain(server.url, request, { 'mcp-session-id': 'another' }),
      await sendAgain(new URL('?x=1', server.url), request),
      await sendAgain(new URL('/mcp/x', server.url), request),
      await sendAgain(server.url, request, { 'x-amz-security-token': 'another' }),
      await sendAgain(server.url, request, { 'x-amz-target': 'Delete' }),
    ]

    // The first proves that the others would have been let in.
    expect(attempts.map(({ headers }) => headers.get('X-Amzn-ErrorType'))).toEqual([
      null,
      'InvalidSignatureException',
      'InvalidSignatureException',
      'InvalidSignatureException',
      'InvalidSignatureException',
      'UnrecognizedClientException',
      'IncompleteSignatureException',
    ])
  })

  it('signs a retry anew, with credentials that were asked for again', async () => {
    const server = await started()
    const client = await connected(server)
    const before = server.requests.length

    server.rejectNext(1, { method: 'POST' })
    expect(await whoAmI(client)).toContain('alice')

    const [first, second] = server.requests.slice(before)
    expect(statusesOf(server.requests.slice(before))).toEqual([401, 200])
    expect(second?.body).toBe(first?.body)
    expect(second?.headers['authorization']).not.toBe(first?.headers['authorization'])
    expect(second?.headers['x-amz-security-token']).not.toBe(first?.headers['x-amz-security-token'])
  })

  it('renews session credentials before they expire', async () => {
    let ahead = 0
    const now = () => Date.now() + ahead
    const server = await started({ now })
    const client = await connected(server, { now })

    ahead = 3_595_000
    expect(await whoAmI(client)).toContain('alice')
    ahead = 3_700_000
    expect(await whoAmI(client)).toContain('alice')

    expect(server.requests.every(({ authenticated }) => authenticated)).toBe(true)
    const tokens = new Set(server.requests.map(({ headers }) => headers['x-amz-security-token']))
    expect(tokens.size).toBe(2)
  })

  for (const [title, offset] of [
    ['slow', -twentyMinutes],
    ['fast', twentyMinutes],
  ] as const) {
    it(`heals a clock that is 20 minutes ${title}, although AWS answers 403`, async () => {
      const server = await started()
      const client = await connected(server, { now: () => Date.now() + offset })

      expect(await whoAmI(client)).toContain('alice')

      expect(statusesOf(server.requests).filter((status) => status === 403)).toHaveLength(1)
      expect(server.requests[0]).toMatchObject({ status: 403 })
    })
  }

  it('shows the 403 of credentials that were revoked', async () => {
    const server = await started()
    const client = await connected(server)
    server.revoke('alice')
    const before = server.requests.length

    await expect(whoAmI(client)).rejects.toMatchObject({ code: 403 })

    expect(statusesOf(server.requests.slice(before))).toEqual([403])
  })

  it('replaces credentials that were revoked when told that 403 means that', async () => {
    const server = await started()
    const client = await connected(server, { retry: { statusCodes: [401, 403] } })
    server.revoke('alice')
    const before = server.requests.length

    expect(await whoAmI(client)).toContain('alice')

    expect(statusesOf(server.requests.slice(before))).toEqual([403, 200])
  })
})
