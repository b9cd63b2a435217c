import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import { custom, LoginRequiredError } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { type Json, lineClient } from '../support/bridge-client.ts'
import { testClock } from '../support/clock.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { reply, scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

/** A server of the official SDK that asks nobody who they are. */
async function sdkServer() {
  const handler = toNodeHandler(
    createMcpHandler(() => {
      const server = new McpServer({ name: 'open', version: '1.0.0' })
      const content = [{ type: 'text' as const, text: 'pong' }]
      server.registerTool('ping', { description: 'Answers.' }, () => ({ content }))
      return server
    }),
  )
  const credentials: unknown[] = []
  const http = createServer((request, response) => {
    credentials.push(request.headers.authorization)
    handler(request as Parameters<typeof handler>[0], response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  const { port } = http.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/mcp`, credentials }
}

/** What finds nothing, until something is stored. */
function nothing() {
  const store = memoryStore()
  const clock = testClock(Date.now())
  const provider = auto({ config: false, store })
  return { store, clock, provider, options: { provider, store, now: clock.now } }
}

const call = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'ping', arguments: {} },
})

describe('a server that asks for no credential', () => {
  it('is relayed to when nothing is stored for it (official SDK)', async () => {
    const server = await sdkServer()
    const client = lineClient(server.url, nothing().options)

    const begun = await client.initialize()
    client.send(call(1))
    const called = await client.next()

    expect(begun).toMatchObject({ result: { serverInfo: { name: 'open' } } })
    expect(called).toMatchObject({ id: 1, result: { content: [{ text: 'pong' }] } })
    expect(new Set(server.credentials)).toEqual(new Set([undefined]))
  })

  it('is relayed to by a bridge of a provider that finds nothing and does not ask the server', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url, { provider: savedLogin(), store: memoryStore() })

    expect(await client.initialize()).toMatchObject({ result: {} })
  })

  it('is relayed to as soon as it can be reached', async () => {
    const server = await scriptedMcp()
    let isDown = true
    const client = lineClient(server.url, {
      ...nothing().options,
      fetch: async (input, init) => {
        if (isDown) throw Object.assign(new TypeError('fetch failed'), { code: 'ECONNRESET' })
        return fetch(input, init)
      },
    })
    client.send(call(1))
    expect(await client.next()).toMatchObject({ id: 1, error: {} })

    isDown = false
    expect(await client.initialize()).toMatchObject({ result: {} })
  })

  it('is sent nothing while a login has to be repeated', async () => {
    const server = await scriptedMcp()
    const provider = custom({
      acquire: () => {
        throw new LoginRequiredError('grant_rejected', 'The login has ended.')
      },
    })
    const client = lineClient(server.url, { provider })

    expect(await client.initialize()).toMatchObject({ error: { data: { code: 'login_required' } } })
    expect(server.requests).toEqual([])
  })

  it('is sent nothing after a login that the user did not complete', async () => {
    const server = await scriptedMcp()
    const provider = authorizationCode({
      clientId: 'client',
      issuer: 'https://login.example.com',
      metadata: {
        issuer: 'https://login.example.com',
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
        authorization_endpoint: 'https://login.example.com/authorize',
        token_endpoint: 'https://login.example.com/token',
      },
      onAuthorizationUrl: () => {},
      loginTimeout: 0.05,
    })
    const client = lineClient(server.url, { provider })

    client.send(call(1))

    expect(await client.next()).toMatchObject({
      id: 1,
      error: { message: expect.stringContaining('did not complete the login') },
    })
    expect(server.requests).toEqual([])
  })

  it('is sent nothing without a credential in a session that had one', async () => {
    const server = await scriptedMcp()
    const clock = testClock(Date.now())
    let acquisitions = 0
    const provider = custom({
      acquire: () => {
        acquisitions += 1
        if (acquisitions > 1) throw new LoginRequiredError('no_credential', 'It was removed.')
        const expiresAt = clock.now() + 60_000
        return { expiresAt, apply: ({ headers }) => headers.set('Authorization', 'Bearer token') }
      },
    })
    const client = lineClient(server.url, { provider, now: clock.now })

    await client.initialize()
    await until(() => server.posted.length === 2, 'both messages')
    clock.advance(120_000)
    client.send(call(1))

    expect(await client.next()).toMatchObject({ error: { data: { code: 'login_required' } } })
    expect(server.postsOf('tools/call')).toEqual([])
  })

  it('cannot send the message on to another server', async () => {
    const other = await recordingOrigin()
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(307, { location: `${other.origin}/mcp` }).end(),
    )
    const client = lineClient(`${server.origin}/mcp`, nothing().options)

    client.send(call(1))

    expect(await client.next()).toMatchObject({ id: 1, error: {} })
    expect(server.requests).toHaveLength(2)
    expect(other.requests).toEqual([])
  })
})

describe('a server that asks for a credential when there is none', () => {
  it.each([401, 403])('is named with what was tried and what to type after %i', async (status) => {
    const server = await recordingOrigin((_request, response) => response.writeHead(status).end())
    const url = `${server.origin}/mcp`
    const client = lineClient(url, nothing().options)

    client.send(call(1))

    expect(await client.next()).toMatchObject({
      id: 1,
      error: {
        message: expect.stringMatching(/Searched: .* Log in: `npx mcp-credentials login /),
        data: { code: 'login_required', remedy: expect.stringContaining(url) },
      },
    })
    expect(server.requests).toHaveLength(2)
  })

  it('gets the credential with the next request after it was stored', async () => {
    const server = await scriptedMcp()
    server.wantsCredential = true
    const { store, clock, options } = nothing()
    const client = lineClient(server.url, options)

    expect(await client.initialize()).toMatchObject({ error: {} })
    await saveKey(store, { resource: server.url, key: { type: 'bearer', token: 'their-token' } })
    clock.advance(10_000)

    expect(await client.initialize()).toMatchObject({ result: {} })
    const [sent] = server.postsOf('initialize')
    expect(sent?.request.headers.authorization).toBe('Bearer their-token')
  })

  it('may ask for it in the middle, and what needs none does not end the login', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', (post) =>
      post.request.headers.authorization === undefined
        ? post.response.writeHead(401).end()
        : reply(post, { done: true }),
    )
    const { store, clock, options } = nothing()
    const asked: string[] = []
    const client = lineClient(server.url, {
      ...options,
      onLoginRequired({ error }) {
        asked.push(error.reason)
        return { url: 'https://login.example.com/', message: 'Log in.' }
      },
    })

    await client.initialize({ elicitation: { url: {} } })
    client.send(call(1))
    const refused = await client.next()
    client.send({ jsonrpc: '2.0', id: 2, method: 'tools/list' })
    const listed = await client.next()
    client.send(call(3))
    const again = await client.next()
    await saveKey(store, { resource: server.url, key: { type: 'bearer', token: 'their-token' } })
    clock.advance(10_000)
    client.send(call(4))
    const last: Json[] = [await client.next(), await client.next()]

    expect(refused).toMatchObject({ id: 1, error: { code: -32042 } })
    expect(listed).toMatchObject({ id: 2, result: {} })
    expect(again).toMatchObject({ id: 3, error: { code: -32042 } })
    expect(asked).toEqual(['no_credential'])
    expect(last).toContainEqual({ jsonrpc: '2.0', id: 4, result: { done: true } })
    expect(last).toContainEqual(
      expect.objectContaining({ method: 'notifications/elicitation/complete' }),
    )
  })
})
