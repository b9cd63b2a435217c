import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import { bridge } from '../../src/node/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { type Json, lineClient } from '../support/bridge-client.ts'
import { testClock } from '../support/clock.ts'
import { scriptedMcp } from '../support/scripted-mcp.ts'

const key = 'mcp-credentials-login'
const url = 'https://login.example.com/authorize?x=1'

/** A login that the test completes, or lets fail. */
function login(resource: string) {
  const store = memoryStore()
  const clock = testClock(Date.now())
  const provider = auto({ config: false, store })
  const begun: boolean[] = []
  let complete = () => {}
  let fail = (_error: Error) => {}
  const completed = new Promise<void>((resolve, reject) => {
    complete = resolve
    fail = reject
  })
  return {
    begun,
    options: {
      provider,
      store,
      now: clock.now,
      onLoginRequired({ clientShowsUrl }: { clientShowsUrl: boolean }) {
        begun.push(clientShowsUrl)
        return { url, message: 'Log in.', completed }
      },
    },
    async finish(isDone: boolean) {
      if (!isDone) return fail(new Error('denied'))
      await saveKey(store, { resource, key: { type: 'bearer', token: 'their-token' } })
      clock.advance(10_000)
      complete()
    },
  }
}

const showsUrls = { elicitation: { url: {} } }

/** A request of a client without a session. */
function request(id: number, method: string, capabilities: Json, params: Json = {}): Json {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  }
  return { jsonrpc: '2.0', id, method, params: { ...params, _meta: meta } }
}

async function start() {
  const server = await scriptedMcp()
  server.wantsCredential = true
  const { begun, finish, options } = login(server.url)
  return { server, begun, finish, client: lineClient(server.url, options) }
}

const accepted = { inputResponses: { [key]: { action: 'accept' } } }

describe('a login that a stateless client needs', () => {
  it('is asked of a client that says with the request that it shows URLs, and the call goes on', async () => {
    const { server, begun, finish, client } = await start()

    client.send(request(1, 'tools/call', showsUrls, { name: 'a' }))
    const asked = await client.next()
    client.send(request(2, 'tools/call', showsUrls, { name: 'a', ...accepted }))
    await finish(true)
    const answered = await client.next()

    const params = { mode: 'url', message: 'Log in.', url }
    const inputRequests = { [key]: { method: 'elicitation/create', params } }
    expect(asked).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: { resultType: 'input_required', inputRequests },
    })
    expect(answered).toEqual({ jsonrpc: '2.0', id: 2, result: {} })
    expect(begun).toEqual([true])
    const [sent] = server.postsOf('tools/call').map(({ message }) => message['params'])
    expect(sent).toMatchObject({ name: 'a' })
    expect(sent).not.toHaveProperty('inputResponses')
    expect(client.lines).toHaveLength(2)
  })

  it.each([
    ['does not show URLs', 'tools/call', { elicitation: { form: {} } }, {}],
    ['says nothing', 'tools/call', {}, {}],
    ['asks for what takes no input', 'tools/list', showsUrls, {}],
    [
      'is in the middle of a question of the server',
      'tools/call',
      showsUrls,
      { requestState: 's' },
    ],
  ])('is a URL in the message for one that %s', async (_what, method, capabilities, params) => {
    const { begun, client } = await start()

    client.send(request(1, method, capabilities, params))

    expect(await client.next()).toMatchObject({
      id: 1,
      error: { code: -32000, message: `Log in. Open ${url}`, data: { url } },
    })
    expect(begun).toEqual([false])
  })

  it('is asked for once: the command to type follows when the user declines', async () => {
    const { begun, client } = await start()
    const declined = { inputResponses: { [key]: { action: 'decline' } } }

    client.send(request(1, 'tools/call', showsUrls))
    await client.next()
    client.send(request(2, 'tools/call', showsUrls, declined))

    expect(await client.next()).toMatchObject({
      id: 2,
      error: { message: expect.stringContaining('npx mcp-credentials login') },
    })
    expect(begun).toEqual([true])
  })

  it('is asked for once: the command to type follows when the login fails', async () => {
    const { begun, finish, client } = await start()

    client.send(request(1, 'tools/call', showsUrls))
    await client.next()
    client.send(request(2, 'tools/call', showsUrls, accepted))
    await finish(false)

    expect(await client.next()).toMatchObject({
      id: 2,
      error: { message: expect.stringContaining('npx mcp-credentials login') },
    })
    expect(begun).toEqual([true])
  })

  it.each(['12345678901234567890', '1e400'])(
    'leaves a call as it is whose number %s would change when it is written anew',
    async (number) => {
      const { server, finish, client } = await start()
      await finish(true)
      const text = JSON.stringify(request(1, 'tools/call', showsUrls, { ...accepted, n: 0 }))
      const exact = text.replace('"n":0', `"n":${number}`)

      client.send(exact)
      await client.next()

      expect(server.requests.map(({ body }) => body)).toEqual([exact])
    },
  )

  it('is one login for a client of the official SDK, whose call succeeds afterwards', async () => {
    const handler = toNodeHandler(
      createMcpHandler(() => {
        const server = new McpServer({ name: 'modern', version: '1.0.0' })
        const content = [{ type: 'text' as const, text: 'pong' }]
        server.registerTool('ping', { description: 'Answers.' }, () => ({ content }))
        return server
      }),
    )
    const http = createServer((incoming, response) => {
      const isCall = incoming.headers['mcp-method'] === 'tools/call'
      if (isCall && incoming.headers.authorization === undefined) {
        return void response.writeHead(401).end()
      }
      handler(incoming as Parameters<typeof handler>[0], response).catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      http.closeAllConnections()
      http.close()
    })
    const { port } = http.address() as AddressInfo
    const resource = `http://127.0.0.1:${port}/mcp`
    const { begun, finish, options } = login(resource)
    const { provider, ...rest } = options
    const local = await bridge(provider, { resource, ...rest })
    onTestFinished(() => local.close())
    const client = new Client(
      { name: 'test', version: '1.0.0' },
      { capabilities: showsUrls, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    )
    const shown: unknown[] = []
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      shown.push(params)
      setImmediate(() => void finish(true))
      return { action: 'accept' as const }
    })
    await client.connect(new StreamableHTTPClientTransport(local.url))
    onTestFinished(() => client.close())

    const { content } = await client.callTool({ name: 'ping', arguments: {} })

    expect(content).toEqual([{ type: 'text', text: 'pong' }])
    expect(shown).toEqual([{ mode: 'url', message: 'Log in.', url }])
    expect(begun).toEqual([true])
  })
})
