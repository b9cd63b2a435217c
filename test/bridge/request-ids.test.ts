import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { type Posted, reply, scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

const invalid = { code: -32600 }

describe('the identifier of a request', () => {
  it('is refused without a number when it cannot be told from that of another under way', async () => {
    const server = await scriptedMcp()
    const posts: Posted[] = []
    server.on('tools/call', (post) => void posts.push(post))
    const client = lineClient(server.url)

    client.send('{"jsonrpc":"2.0","id":9007199254740992,"method":"tools/call"}')
    await until(() => posts.length === 1, 'the first call')
    client.send('{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call"}')

    expect(await client.next()).toMatchObject({ id: null, error: invalid })
    expect(posts).toHaveLength(1)
  })

  it('is refused while a request with the same one is under way, and not afterwards', async () => {
    const server = await scriptedMcp()
    const posts: Posted[] = []
    server.on('tools/call', (post) => void posts.push(post))
    const client = lineClient(server.url)
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call' }

    client.send(call)
    await until(() => posts.length === 1, 'the first call')
    client.send(call)
    const refused = await client.next()
    for (const post of posts) reply(post, { done: true })
    const answered = await client.next()
    client.send(call)
    await until(() => posts.length === 2, 'the second call')

    expect(refused).toMatchObject({ id: 1, error: invalid })
    expect(answered).toMatchObject({ id: 1, result: { done: true } })
  })
})

describe('an answer without result and error', () => {
  it('is one error', async () => {
    const server = await scriptedMcp()
    server.on('tools/call', ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{"jsonrpc":"2.0","id":1}')
    })
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    const first = await client.next()
    client.send({ jsonrpc: '2.0', id: 2, method: 'ping' })

    expect(first).toMatchObject({ id: 1, error: { data: { code: 'outcome_unknown' } } })
    expect(await client.next()).toMatchObject({ id: 2, result: {} })
  })
})

describe('an error without an identifier', () => {
  it('is the answer to the request that it came back for', async () => {
    const server = await scriptedMcp()
    const error = { code: -32600, message: 'The words of the server.' }
    server.on('tools/call', ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: null, error }))
    })
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 1, error })
  })
})
