import { describe, expect, it } from 'vitest'
import { maxMessageValues, parseMessage } from '../../src/bridge/message.ts'
import { lineClient } from '../support/bridge-client.ts'
import { openStream, reply, scriptedMcp } from '../support/scripted-mcp.ts'

describe('the protocol version in the answer to initialize', () => {
  it.each([
    ['a line break', '2025-11-25\r\nX-Injected: 1'],
    ['a text that no header can carry', '\u{1f600}'],
    ['ten thousand characters', '2025-11-25'.repeat(1000)],
    ['no date', 'latest'],
  ])('is refused with an error that says so when it is %s', async (_what, protocolVersion) => {
    const server = await scriptedMcp()
    server.on('initialize', (post) => reply(post, { protocolVersion, capabilities: {} }))
    const client = lineClient(server.url)

    const answer = await client.initialize()

    expect(answer).toMatchObject({
      id: 0,
      error: {
        code: -32000,
        message: expect.stringContaining('protocol version'),
        data: { code: 'invalid_response', retryable: false },
      },
    })
    expect(JSON.stringify(answer)).not.toContain(JSON.stringify(protocolVersion).slice(1, -1))
    expect(server.requests.every(({ headers }) => !('mcp-protocol-version' in headers))).toBe(true)
  })

  it('goes into the header of what follows when it is a date that is not known here', async () => {
    const server = await scriptedMcp()
    const protocolVersion = '2031-02-03'
    server.on('initialize', (post) => reply(post, { protocolVersion, capabilities: {} }))
    const client = lineClient(server.url)
    await client.initialize()

    client.send({ jsonrpc: '2.0', id: 1, method: 'ping' })
    await client.next()

    const [ping] = server.postsOf('ping')
    expect(ping?.request.headers['mcp-protocol-version']).toBe(protocolVersion)
  })

  it('ends the renewal of a session when it is no date', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    server.sessions.clear()
    server.on('initialize', (post) => reply(post, { protocolVersion: 'x\r\ny', capabilities: {} }))

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.next()).toMatchObject({
      id: 1,
      error: { message: expect.stringContaining('protocol version') },
    })
  })
})

describe('a message with more than a million values', () => {
  /** Each costs three characters of text, and more than ten times as much when it is read. */
  const arrays = `[${'[],'.repeat(maxMessageValues)}[]]`

  it.each(['application/json', 'text/event-stream'])('is refused as %s', async (type) => {
    const server = await scriptedMcp()
    server.on('tools/list', ({ request, response }) => {
      const answer = `{"jsonrpc":"2.0","id":1,"result":{"tools":${arrays}}}`
      if (type === 'text/event-stream') return openStream(request, response).event(answer)
      response.writeHead(200, { 'content-type': type }).end(answer)
    })
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.next()).toMatchObject({
      id: 1,
      error: {
        message: expect.stringContaining('more than a million values'),
        data: { code: 'invalid_response', retryable: false },
      },
    })
  })

  it('is refused when it comes from the client, and the next one is relayed', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)

    client.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${arrays}}}`)
    const refused = await client.next()
    client.send({ jsonrpc: '2.0', id: 2, method: 'ping' })

    expect(refused).toMatchObject({ id: null, error: { code: -32700 } })
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 2, result: {} })
    expect(server.postsOf('ping')).toHaveLength(1)
  })

  it.each([
    ['arrays', arrays],
    ['nested arrays', '['.repeat(maxMessageValues + 1)],
    ['objects', `[${'{},'.repeat(maxMessageValues)}{}]`],
    ['members', `{${'"a":1,'.repeat(maxMessageValues)}"b":1}`],
    ['values after a text with escapes', `["\\\\\\"",${'1,'.repeat(maxMessageValues)}1]`],
  ])('is found before it is read when it has %s', (_what, text) => {
    expect(() => parseMessage(text)).toThrow('more than a million values')
  })

  it('is none when the signs are within its texts', () => {
    const text = JSON.stringify({ method: 'a', params: { text: '[{,\\"'.repeat(500_000) } })

    expect(parseMessage(text)?.parts).toMatchObject([{ kind: 'notification', method: 'a' }])
  })
})
