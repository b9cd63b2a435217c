import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import type { RunningServer, ServerKind } from '../../examples/servers/mcp-server.ts'
import { type CredentialEvent, withCredentials } from '../../src/index.ts'
import { type Sdk, sdks, type TestClient, type TestTransport } from '../support/sdk.ts'
import { countingTokens, until } from '../support/tokens.ts'

const unhandled = vi.fn()
process.on('unhandledRejection', unhandled)
afterEach(() => expect(unhandled).not.toHaveBeenCalled())

interface Setup {
  readonly server: RunningServer
  readonly client: TestClient
  readonly transport: TestTransport
  readonly provider: ReturnType<typeof countingTokens>
  readonly events: CredentialEvent[]
}

async function setUp(sdk: Sdk, kind: ServerKind, accept = /^token-\d+$/): Promise<Setup> {
  const server = await startBearerServer({
    kind,
    tokens: (token) => (accept.test(token) ? { subject: token } : undefined),
  })
  const provider = countingTokens()
  const events: CredentialEvent[] = []
  const options = withCredentials(provider, { onEvent: (event) => events.push(event) })
  const transport =
    kind === 'sse' ? sdk.sse(server.url, options) : sdk.streamable(server.url, options)
  const client = sdk.client()
  onTestFinished(async () => {
    await client.close().catch(() => {})
    await server.close()
  })
  return { server, client, transport, provider, events }
}

const posts = (server: RunningServer) => server.requests.filter(({ method }) => method === 'POST')
const gets = (server: RunningServer) => server.requests.filter(({ method }) => method === 'GET')

for (const sdk of sdks) {
  describe(sdk.name, () => {
    for (const kind of ['stateful', 'stateless', 'sse'] as const) {
      it(`carries the credential on every request of a session (${kind})`, async () => {
        const { server, client, transport, provider } = await setUp(sdk, kind)
        const notifications: string[] = []
        client.onNotification((method) => notifications.push(method))

        await client.connect(transport)
        const { tools } = await client.listTools()
        const echo = await client.callTool({ name: 'echo', arguments: { text: 'grüße' } })
        if (kind !== 'stateless') {
          if (kind === 'stateful') await until(() => gets(server).length > 0, 'the GET stream')
          await server.notify()
          await until(() => notifications.length > 0, 'a notification')
        }
        if (kind === 'stateful') await transport.terminateSession?.()

        expect(tools.map(({ name }) => name).sort()).toEqual(['echo', 'whoami'])
        expect(JSON.stringify(echo)).toContain('grüße')
        const seen = server.requests.map(({ headers }) => headers.authorization)
        expect(seen).toEqual(seen.map(() => 'Bearer token-1'))
        const methods = new Set(server.requests.map(({ method }) => method))
        if (kind === 'stateful') expect(methods).toEqual(new Set(['POST', 'GET', 'DELETE']))
        expect(provider.reasons).toEqual(['missing'])
      })
    }

    it('heals a 401 on POST with one renewal and the same bytes', async () => {
      const { server, client, transport, provider } = await setUp(sdk, 'stateful')
      await client.connect(transport)
      const before = posts(server).length

      server.rejectNext(1, { method: 'POST' })
      await client.callTool({ name: 'echo', arguments: { text: 'ä\u{1f600}' } })

      const [first, second] = posts(server).slice(before)
      expect(first?.status).toBe(401)
      expect(second?.body).toBe(first?.body)
      expect(second?.headers['content-type']).toBe(first?.headers['content-type'])
      expect(second?.headers.authorization).toBe('Bearer token-2')
      expect(provider.reasons).toEqual(['missing', 'rejected'])
    })

    it('heals a 401 on the GET stream', async () => {
      const { server, client, transport, provider } = await setUp(sdk, 'stateful')
      server.rejectNext(1, { method: 'GET' })

      await client.connect(transport)
      await until(() => gets(server).some(({ status }) => status === 200), 'the GET stream')

      expect(gets(server).map(({ headers }) => headers.authorization)).toEqual([
        'Bearer token-1',
        'Bearer token-2',
      ])
      expect(provider.reasons).toEqual(['missing', 'rejected'])
    })

    it('heals a 401 when a cut stream is resumed with Last-Event-ID', async () => {
      const { server, client, transport, provider } = await setUp(sdk, 'stateful')
      const notifications: string[] = []
      client.onNotification((method) => notifications.push(method))
      await client.connect(transport)
      await until(() => gets(server).some(({ status }) => status === 200), 'the GET stream')
      await server.notify()
      await until(() => notifications.length > 0, 'a notification')

      server.rejectNext(1, { method: 'GET' })
      server.dropStreams()
      await until(() => gets(server).length >= 3, 'the resumed stream')

      const [, refused, resumed] = gets(server)
      expect(refused?.headers['last-event-id']).toBeTruthy()
      expect(resumed?.headers['last-event-id']).toBe(refused?.headers['last-event-id'])
      expect(resumed?.headers.authorization).toBe('Bearer token-2')
      expect(provider.reasons).toEqual(['missing', 'rejected'])
    })

    it('heals a 401 on the GET and the POST of the SSE transport', async () => {
      const { server, client, transport } = await setUp(sdk, 'sse')
      server.rejectNext(1, { method: 'GET' })
      await client.connect(transport)

      server.rejectNext(1, { method: 'POST' })
      await client.callTool({ name: 'echo', arguments: { text: 'x' } })

      expect(gets(server).map(({ status }) => status)).toEqual([401, 200])
      expect(posts(server).filter(({ status }) => status === 401)).toHaveLength(1)
    })

    for (const kind of ['stateful', 'sse'] as const) {
      it(`sends a request twice, and no more, to a server that always refuses (${kind})`, async () => {
        const { server, client, transport, provider, events } = await setUp(sdk, kind, /^never$/)

        const error = await client.connect(transport).then(
          () => undefined,
          (reason: Error) => reason,
        )
        await new Promise((resolve) => setTimeout(resolve, 100))

        expect(error).toBeInstanceOf(Error)
        expect(error?.constructor.name).toMatch(
          /^(StreamableHTTPError|SdkHttpError|SseError|Error)$/,
        )
        expect(server.requests.map(({ status }) => status)).toEqual([401, 401])
        expect(provider.reasons).toEqual(['missing', 'rejected'])
        expect(events.at(-1)).toMatchObject({ type: 'request_rejected', status: 401, attempts: 2 })
      })
    }
  })
}
