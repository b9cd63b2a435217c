import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { type Json, lineClient } from '../support/bridge-client.ts'
import { type RecordingOrigin, recordingOrigin } from '../support/recording-origin.ts'
import { until } from '../support/tokens.ts'

interface OlderServer extends RecordingOrigin {
  readonly url: string
  readonly streams: ServerResponse[]
  readonly posted: { readonly message: Json; readonly path: string }[]
  event(data: Json): void
  /** What the endpoint event names. */
  endpoint: string
  /** Answers nothing to these methods. */
  readonly silent: Set<string>
}

/** A server that speaks HTTP+SSE alone. */
async function olderServer(): Promise<OlderServer> {
  const streams: ServerResponse[] = []
  const posted: OlderServer['posted'] = []
  const origin = await recordingOrigin((request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      streams.push(response)
      return response.write(
        `event: endpoint\ndata: ${server.endpoint}?session=${streams.length}\n\n`,
      )
    }
    if (request.url === '/sse') return response.writeHead(405).end()
    const message = JSON.parse(request.body) as Json
    posted.push({ message, path: request.url })
    response.writeHead(202).end('Accepted')
    if (message['id'] === undefined || server.silent.has(String(message['method']))) return
    server.event({ jsonrpc: '2.0', id: message['id'], result: { protocolVersion: '2024-11-05' } })
  })
  const server: OlderServer = {
    ...origin,
    url: `${origin.origin}/sse`,
    streams,
    posted,
    event: (data) =>
      void streams.at(-1)?.write(`event: message\ndata: ${JSON.stringify(data)}\n\n`),
    endpoint: '/messages',
    silent: new Set(),
  }
  return server
}

describe('a server of the older transport', () => {
  it('is found by its answer to the first POST', async () => {
    const server = await olderServer()
    const client = lineClient(server.url)

    await client.initialize()
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const answer = await client.next()
    server.event({ jsonrpc: '2.0', id: 9, method: 'sampling/createMessage' })
    const question = await client.next()
    client.send({ jsonrpc: '2.0', id: 9, result: { ok: true } })
    await until(() => server.posted.length === 4, 'the answer of the client')

    expect(answer).toMatchObject({ id: 1, result: {} })
    expect(question).toMatchObject({ id: 9, method: 'sampling/createMessage' })
    expect(server.posted.at(-1)?.message).toMatchObject({ id: 9, result: { ok: true } })
    expect(server.posted.every(({ path }) => path === '/messages?session=1')).toBe(true)
    const tokens = server.requests.map(({ headers }) => headers.authorization)
    expect(new Set(tokens)).toEqual(new Set(['Bearer canary-token']))
  })

  it('has its session begun anew when the stream breaks; what was under way is an error', async () => {
    const server = await olderServer()
    server.silent.add('tools/call')
    const client = lineClient(server.url)
    await client.initialize()
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await until(() => server.posted.length === 3, 'the call')

    server.streams[0]?.socket?.destroy()
    const lost = await client.next()
    await until(() => server.streams.length === 2, 'the second stream')
    client.send({ jsonrpc: '2.0', id: 2, method: 'tools/list' })
    const answer = await client.next()

    expect(lost).toMatchObject({ id: 1, error: { data: { code: 'outcome_unknown' } } })
    expect(answer).toMatchObject({ id: 2, result: {} })
    expect(server.posted.at(-1)?.path).toBe('/messages?session=2')
  })

  it('gets no message when its endpoint is on another origin', async () => {
    const server = await olderServer()
    const other = await recordingOrigin()
    server.endpoint = `${other.origin}/messages`
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params: {} })
    await until(() => server.streams.length === 1, 'the stream')
    server.streams[0]?.end()

    expect(await client.next()).toMatchObject({ id: 0, error: { data: { status: 405 } } })
    expect(other.requests).toEqual([])
  })
})
