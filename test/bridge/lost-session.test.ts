import { describe, expect, it } from 'vitest'
import { type Json, lineClient } from '../support/bridge-client.ts'
import { openStream, scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

describe('a session that the server has forgotten', () => {
  it('is begun anew with the parameters of the client, without a word to it', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize({ roots: { listChanged: true } })
    await until(() => server.streams.length === 1, 'the first stream')
    server.sessions.clear()

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { n: 1 } })
    const answer = await client.next()

    expect(answer).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    const [first, second, ...others] = server.postsOf('initialize').map(({ message }) => message)
    expect(others).toEqual([])
    expect(second?.['params']).toEqual(first?.['params'])
    expect(second?.['id']).not.toBe(first?.['id'])
    expect(server.postsOf('notifications/initialized')).toHaveLength(2)
    expect(client.lines).toHaveLength(2)
    await until(() => server.streams.length === 2, 'the second stream')
  })

  it('is begun anew once for all requests, each of which is sent again once', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    server.sessions.clear()

    const ids = Array.from({ length: 20 }, (_, index) => index + 1)
    for (const id of ids) client.send({ jsonrpc: '2.0', id, method: 'tools/call' })
    const answers: Json[] = []
    for (const _ of ids) answers.push(await client.next())

    expect(answers.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(ids)
    expect(server.postsOf('initialize')).toHaveLength(2)
    expect(server.postsOf('tools/call')).toHaveLength(20)
  })

  it('is an error for the client when the new session is gone as well', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    server.sessions.clear()
    server.on('notifications/initialized', ({ response }) => {
      server.sessions.clear()
      response.writeHead(202).end()
    })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({
      id: 1,
      error: { code: -32000, data: { code: 'session_lost' } },
    })
  })

  it('is begun anew when only its stream shows that it is gone', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await until(() => server.streams.length === 1, 'the first stream')

    server.streams[0]?.retry(1)
    server.sessions.clear()
    server.streams[0]?.cut()
    await until(() => server.streams.length === 2, 'the second stream')
    server.streams[1]?.event({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })

    expect(await client.next()).toMatchObject({ method: 'notifications/tools/list_changed' })
    expect(server.postsOf('initialize')).toHaveLength(2)
  })

  it('is begun anew when the server comes back from a restart, and no request is lost', async () => {
    const server = await scriptedMcp()
    let isAway = false
    const client = lineClient(server.url, {
      fetch: (input, init) =>
        isAway
          ? Promise.reject(
              new TypeError('fetch failed', {
                cause: { code: 'ECONNREFUSED', syscall: 'connect' },
              }),
            )
          : fetch(input, init),
    })
    await client.initialize()
    await until(() => server.streams.length === 1, 'the stream')

    isAway = true
    server.sessions.clear()
    server.streams[0]?.cut()
    for (const id of [1, 2, 3]) client.send({ jsonrpc: '2.0', id, method: 'tools/call' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    isAway = false
    const answers = [await client.next(), await client.next(), await client.next()]

    expect(answers.every(({ result }) => result !== undefined)).toBe(true)
    expect(answers.map(({ id }) => id).sort()).toEqual([1, 2, 3])
    expect(server.postsOf('tools/call')).toHaveLength(3)
    expect(server.postsOf('initialize')).toHaveLength(2)
    await until(() => server.streams.length === 2, 'the second stream')
  })

  it('takes the questions of the server with it', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await until(() => server.streams.length === 1, 'the stream')
    server.streams[0]?.event({ jsonrpc: '2.0', id: 7, method: 'elicitation/create' })
    await client.next()
    server.sessions.clear()

    client.send({ jsonrpc: '2.0', id: 1, method: 'ping' })
    expect(await client.next()).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: 7 },
    })
    await client.next()
    client.send({ jsonrpc: '2.0', id: 7, result: {} })
    client.send({ jsonrpc: '2.0', id: 2, method: 'ping' })
    await client.next()

    expect(server.posted.filter(({ result }) => result !== undefined)).toEqual([])
  })
})

describe('a stream that breaks', () => {
  it('is resumed after the last event, and nothing arrives twice', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', ({ request, response }) => {
      const stream = openStream(request, response)
      stream.retry(1)
      stream.event('', 'a')
      stream.event({ jsonrpc: '2.0', method: 'notifications/progress', params: { n: 1 } }, 'b')
      setImmediate(() => stream.cut())
    })
    server.onGet = (request, response) => {
      if (request.headers['last-event-id'] === undefined) return false
      const stream = openStream(request, response)
      stream.event(
        { jsonrpc: '2.0', id: 1, result: { after: request.headers['last-event-id'] } },
        'c',
      )
      stream.end()
      return true
    }
    const client = lineClient(server.url)
    await client.initialize()

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({ method: 'notifications/progress' })
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 1, result: { after: 'b' } })
  })

  it('is an error for the client when it cannot be resumed', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', ({ request, response }) => openStream(request, response).end())
    const client = lineClient(server.url)
    await client.initialize()

    client.send({ jsonrpc: '2.0', id: 'x', method: 'tools/call' })

    expect(await client.next()).toMatchObject({
      id: 'x',
      error: { code: -32000, data: { code: 'outcome_unknown', retryable: false } },
    })
    expect(server.postsOf('tools/call')).toHaveLength(1)
  })

  it('is opened again with the last event when it was that of the notifications', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await until(() => server.streams.length === 1, 'the stream')

    server.streams[0]?.retry(1)
    server.streams[0]?.event({ jsonrpc: '2.0', method: 'notifications/a' }, 'event-1')
    await client.next()
    server.streams[0]?.cut()
    await until(() => server.streams.length === 2, 'the second stream')

    expect(server.streams[1]?.request.headers['last-event-id']).toBe('event-1')
  })

  it('is not asked for again when the server has none', async () => {
    const server = await scriptedMcp()
    let asked = 0
    server.onGet = (_request, response) => {
      asked += 1
      response.writeHead(405).end()
      return true
    }
    const client = lineClient(server.url)
    await client.initialize()
    await until(() => asked === 1, 'the request for a stream')
    client.send({ jsonrpc: '2.0', id: 1, method: 'ping' })
    await client.next()
    await client.close()

    expect(asked).toBe(1)
  })
})
