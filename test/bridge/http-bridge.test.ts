import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { apiKey } from '../../src/index.ts'
import { type BridgeOptions, bridge } from '../../src/node/index.ts'
import { openStream, reply, scriptedMcp } from '../support/scripted-mcp.ts'
import { sdks } from '../support/sdk.ts'
import { until } from '../support/tokens.ts'

const accept = 'application/json, text/event-stream'
const json = { 'content-type': 'application/json', accept }

async function startBridge(resource: string, options: Partial<BridgeOptions> = {}) {
  const running = await bridge(apiKey({ value: 'canary-key' }), {
    resource,
    random: () => 0,
    ...options,
  })
  onTestFinished(() => running.close())
  return running
}

const post = (url: URL, message: object | string, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  })

const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: {} }

/** A request with headers that `fetch` does not let anybody set. */
function rawStatus(url: URL, headers: Record<string, string>, method = 'POST'): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: { ...json, ...headers } }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject)
    sent.end(method === 'POST' ? JSON.stringify(initialize) : undefined)
  })
}

/** A request that no client of Node sends. */
function statusOfTwoHosts(url: URL): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), '127.0.0.1')
    socket.on('error', reject)
    socket.once('data', (bytes) => {
      socket.destroy()
      resolve(Number(bytes.toString().split(' ')[1]))
    })
    const hosts = `Host: localhost:${url.port}\r\nHost: evil.example`
    socket.write(`GET ${url.pathname} HTTP/1.1\r\n${hosts}\r\n\r\n`)
  })
}

describe('bridge', () => {
  it('listens on a loopback address, on a path that cannot be guessed', async () => {
    const server = await scriptedMcp()
    const [first, second] = [await startBridge(server.url), await startBridge(server.url)]

    expect(first.url.hostname).toBe('127.0.0.1')
    const secret = first.url.pathname.split('/')[1] ?? ''
    expect(Buffer.from(secret, 'base64url').length * 8).toBeGreaterThanOrEqual(128)
    expect(first.url.pathname).not.toBe(second.url.pathname)
  })

  it('refuses other paths, other hosts, pages of other sites and other content types', async () => {
    const server = await scriptedMcp()
    const { url } = await startBridge(server.url)
    const elsewhere = new URL('/mcp', url)

    const statuses = {
      path: await rawStatus(elsewhere, {}),
      longerPath: await rawStatus(new URL(`${url.href}/x`), {}),
      host: await rawStatus(url, { host: 'evil.example' }),
      rebound: await rawStatus(url, { host: `localhost.evil.example:${url.port}` }),
      origin: await rawStatus(url, { origin: 'https://evil.example' }),
      nullOrigin: await rawStatus(url, { origin: 'null' }),
      contentType: await rawStatus(url, { 'content-type': 'text/plain' }),
      longerType: await rawStatus(url, { 'content-type': 'application/json-evil' }),
      twoHosts: await statusOfTwoHosts(url),
      preflight: await rawStatus(url, {}, 'OPTIONS'),
      localhost: await rawStatus(url, { host: `localhost:${url.port}` }),
      localOrigin: await rawStatus(url, { origin: 'http://localhost:3000' }),
    }

    expect(statuses).toEqual({
      path: 404,
      longerPath: 404,
      host: 403,
      rebound: 403,
      origin: 403,
      nullOrigin: 403,
      contentType: 415,
      longerType: 415,
      twoHosts: 403,
      preflight: 405,
      localhost: 200,
      localOrigin: 200,
    })
    expect(server.postsOf('initialize')).toHaveLength(2)
    const response = await post(url, initialize, { origin: 'http://localhost:3000' })
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('gives each client session one of its own at the server, and ends it there', async () => {
    const server = await scriptedMcp()
    const { url } = await startBridge(server.url)
    const ids: string[] = []
    for (let index = 0; index < 2; index += 1) {
      const response = await post(url, initialize)
      ids.push(response.headers.get('mcp-session-id') ?? '')
      await response.text()
    }
    expect(server.sessions.size).toBe(2)
    expect([...server.sessions].some((id) => ids.includes(id))).toBe(false)

    const headers = { 'mcp-session-id': ids[0] ?? '' }
    const deleted = await fetch(url, { method: 'DELETE', headers })
    const gone = await post(url, { jsonrpc: '2.0', id: 1, method: 'ping' }, headers)

    expect([deleted.status, gone.status, server.sessions.size]).toEqual([204, 404, 1])
  })

  it('streams what belongs to a request in its answer, and the rest on the GET stream', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', ({ request: seen, response, message }) => {
      const stream = openStream(seen, response)
      stream.event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } })
      stream.event({ jsonrpc: '2.0', id: message['id'], result: { done: true } })
      stream.end()
    })
    const { url } = await startBridge(server.url)
    const opened = await post(url, initialize)
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
    await opened.text()
    await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, headers)
    await until(() => server.streams.length === 1, 'the stream at the server')
    const stream = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' } })
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()

    server.streams[0]?.event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
    const unasked = (await reader?.read())?.value
    const answer = await post(url, { jsonrpc: '2.0', id: 1, method: 'tools/call' }, headers)
    const text = await answer.text()
    await reader?.cancel()

    expect(unasked).toContain('notifications/tools/list_changed')
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    const data = text.split('\n').filter((line) => line.startsWith('data: '))
    expect(data[0]).toContain('notifications/progress')
    expect(data[1]).toContain('"done":true')
    expect(data).toHaveLength(2)
  })

  it('passes requests without a session on, and ends them when the client does', async () => {
    const server = await scriptedMcp()
    let isClosed = false
    server.on('subscriptions/listen', ({ request: seen, response }) => {
      openStream(seen, response).event({ jsonrpc: '2.0', method: 'notifications/a' })
      response.once('close', () => {
        isClosed = true
      })
    })
    server.on('x', (each) => reply(each, { header: each.request.headers['mcp-param-region'] }))
    const { url } = await startBridge(server.url)

    const answer = await post(
      url,
      { jsonrpc: '2.0', id: 1, method: 'x' },
      { 'mcp-param-region': 'eu' },
    )
    const ending = new AbortController()
    const listening = await fetch(url, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'subscriptions/listen' }),
      signal: ending.signal,
    })
    const first = await listening.body?.getReader().read()
    ending.abort()

    expect(await answer.json()).toMatchObject({ result: { header: 'eu' } })
    expect(new TextDecoder().decode(first?.value)).toContain('notifications/a')
    await until(() => isClosed, 'the end of the subscription')
  })

  it('ends no session with a request under way to make room for others', async () => {
    const server = await scriptedMcp()
    let finish = () => {}
    server.on('tools/call', (each) => {
      finish = () => reply(each, { done: true })
    })
    const { url } = await startBridge(server.url)
    const opened = await post(url, initialize)
    await opened.text()
    const id = opened.headers.get('mcp-session-id') ?? ''
    const answer = post(
      url,
      { jsonrpc: '2.0', id: 1, method: 'tools/call' },
      { 'mcp-session-id': id, accept: 'application/json' },
    )
    await until(() => server.postsOf('tools/call').length === 1, 'the call')

    for (let index = 0; index < 101; index += 1) await (await post(url, initialize)).text()
    await until(() => server.sessions.size === 100, 'the end of sessions that are quiet')
    finish()

    expect(await (await answer).json()).toMatchObject({ id: 1, result: { done: true } })
  })

  it('answers what is no JSON with a parse error', async () => {
    const server = await scriptedMcp()
    const { url } = await startBridge(server.url)

    const response = await post(url, '{"jsonrpc"')

    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ id: null, error: { code: -32700 } })
  })

  it('ends every session and its port when it is closed', async () => {
    const server = await scriptedMcp()
    const running = await startBridge(server.url)
    await (await post(running.url, initialize)).text()

    await running.close()

    expect(server.sessions.size).toBe(0)
    await expect(fetch(running.url)).rejects.toThrow()
  })

  for (const sdk of sdks) {
    it(`serves the client of ${sdk.name}`, async () => {
      const server = await scriptedMcp()
      server.on('initialize', (each) => {
        server.sessions.add('remote')
        const { protocolVersion } = each.message['params'] as { protocolVersion: string }
        const serverInfo = { name: 'remote', version: '1' }
        const result = { protocolVersion, capabilities: { tools: {} }, serverInfo }
        reply(each, result, { 'mcp-session-id': 'remote' })
      })
      server.on('tools/list', (each) =>
        reply(each, { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }),
      )
      const { url } = await startBridge(server.url)
      const client = sdk.client()
      onTestFinished(() => client.close())

      await client.connect(sdk.streamable(url, { fetch }))
      const { tools } = await client.listTools()

      expect(tools.map(({ name }) => name)).toEqual(['echo'])
      const keys = server.requests.map(({ headers }) => headers['x-api-key'])
      expect(new Set(keys)).toEqual(new Set(['canary-key']))
    })
  }
})
