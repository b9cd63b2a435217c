import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { openStream, reply, scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

describe('stdioBridge', () => {
  it('carries the session, the revision and the credential on every request after initialize', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)

    await client.initialize()
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    await client.next()
    await until(() => server.streams.length === 1, 'the stream of notifications')
    await client.close()

    const [first, ...rest] = server.requests
    expect(first?.headers['mcp-session-id']).toBeUndefined()
    expect(first?.headers.authorization).toBe('Bearer canary-token')
    const sessionIds = new Set(rest.map(({ headers }) => headers['mcp-session-id']))
    expect(sessionIds.size).toBe(1)
    expect(rest.every(({ headers }) => headers['mcp-protocol-version'] === '2025-11-25')).toBe(true)
    expect(rest.map(({ method }) => method).sort()).toEqual(['DELETE', 'GET', 'POST', 'POST'])
    expect(rest.at(-1)?.method).toBe('DELETE')
    expect(rest.every(({ headers }) => headers.authorization === 'Bearer canary-token')).toBe(true)
    expect(client.log.join()).not.toContain('canary')
  })

  it('passes messages on byte for byte in both directions', async () => {
    const server = await scriptedMcp()
    const request =
      '{"jsonrpc":"2.0", "id":12345678901234567, "method":"x/new",  "params":{"n":1.0,"big":12345678901234567890,"t":"\\u00e4ä"},"extra":[1]}'
    const answer =
      '{"id":12345678901234567,"result":{"n":2.50,  "ü":"\\/"},"jsonrpc":"2.0","more":1e2}'
    server.on('x/new', ({ request: { body }, response }) => {
      expect(body).toBe(request)
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(answer)
    })
    const client = lineClient(server.url)

    client.send(request)

    expect(await client.nextLine()).toBe(answer)
  })

  it('takes partial lines, CRLF, empty lines and a last line without an end', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    const bytes = Buffer.from(
      '\r\n{"jsonrpc":"2.0","id":1,"method":"ä"}\r\n\n{"jsonrpc":"2.0","id":2,"method":"ö"}',
    )

    for (const byte of bytes) client.input.write(Buffer.of(byte))
    client.input.end()
    await client.ended

    expect(server.posted.map(({ method }) => method).sort()).toEqual(['ä', 'ö'])
    expect(client.lines).toHaveLength(2)
  })

  it('answers what is no JSON with a parse error, and goes on', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)

    client.send('{"jsonrpc":')
    client.send({ jsonrpc: '2.0', id: 1, method: 'ping' })

    expect(await client.next()).toMatchObject({ id: null, error: { code: -32700 } })
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
  })

  it('passes a message of 10 MB in both directions', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', ({ message, request, response }) => {
      const stream = openStream(request, response)
      stream.event({ jsonrpc: '2.0', id: message['id'], result: message['params'] } as never)
      stream.end()
    })
    const client = lineClient(server.url)
    const text = 'ü'.repeat(5_000_000)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { text } })

    const { result } = (await client.next()) as { result: { text: string } }
    expect(result.text === text).toBe(true)
  })

  it('delivers the answers that are on their way when the input ends, and then ends the session', async () => {
    const server = await scriptedMcp()
    let finish = () => {}
    server.on('slow', (post) => {
      finish = () => reply(post, { done: true })
    })
    const client = lineClient(server.url)
    await client.initialize()

    client.send({ jsonrpc: '2.0', id: 1, method: 'slow' })
    client.input.end()
    await until(() => server.postsOf('slow').length === 1, 'the request')
    finish()
    await client.ended

    expect(client.lines.at(-1)).toContain('"done":true')
    expect(server.sessions.size).toBe(0)
  })
})

describe('the end of a stdio bridge', () => {
  it('comes when nobody reads the output any more', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await until(() => server.streams.length === 1, 'the stream')

    client.output.destroy()
    await client.ended

    expect(server.sessions.size).toBe(0)
  })

  it('answers what is under way with an error when it is closed', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', () => {})
    const client = lineClient(server.url)
    await client.initialize()
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await until(() => server.postsOf('tools/call').length === 1, 'the call')

    await client.close()

    expect(await client.next()).toMatchObject({ id: 1, error: { data: { code: 'closed' } } })
    expect(server.sessions.size).toBe(0)
  })

  it('comes with the signal', async () => {
    const server = await scriptedMcp()
    const ending = new AbortController()
    const client = lineClient(server.url, { signal: ending.signal })
    await client.initialize()

    ending.abort()
    await client.ended

    expect(server.sessions.size).toBe(0)
  })
})

describe('a client that does not read', () => {
  it('stops the stream of the server, and loses nothing', async () => {
    const server = await scriptedMcp()
    const text = 'x'.repeat(100_000)
    const count = 300
    let sent = 0
    server.on('tools/call', async ({ request, response, message }) => {
      const stream = openStream(request, response)
      for (; sent < count; sent += 1) {
        stream.event({ jsonrpc: '2.0', method: 'notifications/n', params: { sent, text } })
        if (response.writableNeedDrain) {
          await new Promise((resolve) => response.once('drain', resolve))
        }
      }
      stream.event({ jsonrpc: '2.0', id: message['id'], result: {} } as never)
      stream.end()
    })
    const client = lineClient(server.url)
    await client.initialize()
    client.output.pause()

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await until(() => client.output.writableNeedDrain, 'the full pipe')
    const waiting = client.output.writableLength + client.output.readableLength
    client.output.resume()
    for (let index = 0; index < count; index += 1) {
      expect(await client.next()).toMatchObject({ params: { sent: index } })
    }

    expect(await client.next()).toMatchObject({ id: 1 })
    expect(waiting).toBeLessThan(1_000_000)
  })
})
