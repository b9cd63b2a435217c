import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import {
  type OpenStream,
  openStream,
  type Posted,
  reply,
  scriptedMcp,
} from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

const cancelled = (requestId: number, params: object = {}) => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, ...params },
})

describe('a request that the client cancels', () => {
  it('is cancelled at the server, and its late answer is dropped', async () => {
    const server = await scriptedMcp()
    let stream: OpenStream | undefined
    server.on('tools/call', ({ request, response }) => {
      stream = openStream(request, response)
    })
    const client = lineClient(server.url)
    await client.initialize()
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await until(() => stream !== undefined, 'the call')

    client.send(cancelled(1))
    stream?.event({ jsonrpc: '2.0', id: 1, result: {} })
    await until(() => server.postsOf('notifications/cancelled').length === 1, 'the cancellation')
    client.send({ jsonrpc: '2.0', id: 2, method: 'ping' })

    expect(await client.next()).toMatchObject({ id: 2 })
    expect(client.lines.filter((line) => line.includes('"id":1'))).toEqual([])
  })

  it('never reaches the server when it has not left yet', async () => {
    const server = await scriptedMcp()
    let initialize: Posted | undefined
    server.on('initialize', (post) => {
      initialize = post
    })
    const client = lineClient(server.url)
    client.send({ jsonrpc: '2.0', id: 0, method: 'initialize', params: {} })
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    client.send(cancelled(1))
    client.send({ jsonrpc: '2.0', id: 2, method: 'ping' })
    await until(() => initialize !== undefined, 'initialize')
    if (initialize !== undefined) reply(initialize, {})

    await client.next()
    expect(await client.next()).toMatchObject({ id: 2 })

    expect(server.posted.map(({ method }) => method)).toEqual(['initialize', 'ping'])
  })

  it('ends its POST where the protocol is stateless', async () => {
    const server = await scriptedMcp()
    let isClosed = false
    server.on('tools/call', ({ request, response }) => {
      openStream(request, response)
      response.once('close', () => {
        isClosed = true
      })
    })
    const client = lineClient(server.url)
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'x', _meta } })
    await until(() => server.postsOf('tools/call').length === 1, 'the call')

    client.send(cancelled(1, { _meta }))

    await until(() => isClosed, 'the end of the stream')
    expect(server.posted).toHaveLength(1)
  })
})

describe('a stateless client', () => {
  it('has the headers that repeat its message, and arguments that a tool wants there', async () => {
    const server = await scriptedMcp()
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
    const inputSchema = {
      type: 'object',
      properties: {
        region: { type: 'string', 'x-mcp-header': 'Region' },
        where: { properties: { city: { type: 'string', 'x-mcp-header': 'City' } } },
      },
    }
    server.on('tools/list', (post) => reply(post, { tools: [{ name: 'prüfen', inputSchema }] }))
    const client = lineClient(server.url)
    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } })
    await client.next()

    const given = { region: 'eu', where: { city: 'Köln' } }
    const params = { name: 'prüfen', arguments: given, _meta }
    client.send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params })
    await client.next()

    const mark = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`
    expect(server.postsOf('tools/call')[0]?.request.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': mark('prüfen'),
      'mcp-param-region': 'eu',
      'mcp-param-city': mark('Köln'),
    })
  })
})
