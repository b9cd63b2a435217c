import { describe, expect, it } from 'vitest'
import { type LineClient, lineClient } from '../support/bridge-client.ts'
import { type ScriptedMcp, scriptedMcp } from '../support/scripted-mcp.ts'

let id = 0
async function ask(client: LineClient, method: string, params: object): Promise<void> {
  id += 1
  client.send({ jsonrpc: '2.0', id, method, params })
  expect(await client.next()).toMatchObject({ id, result: {} })
}

const paramsOf = (server: ScriptedMcp, method: string) =>
  server.postsOf(method).map(({ message }) => message['params'])

describe('a session in place of a forgotten one', () => {
  it('has the log level and the subscriptions of the client, before what the client sends', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await ask(client, 'logging/setLevel', { level: 'error' })
    await ask(client, 'logging/setLevel', { level: 'debug', _meta: { progressToken: 1 } })
    await ask(client, 'resources/subscribe', { uri: 'file:///a' })
    await ask(client, 'resources/subscribe', { uri: 'file:///b' })
    await ask(client, 'resources/unsubscribe', { uri: 'file:///a' })
    const before = server.posted.length
    server.sessions.clear()

    await ask(client, 'tools/call', {})

    expect(server.posted.slice(before).map(({ method, params }) => [method, params])).toEqual([
      ['initialize', expect.anything()],
      ['notifications/initialized', undefined],
      ['logging/setLevel', { level: 'debug' }],
      ['resources/subscribe', { uri: 'file:///b' }],
      ['tools/call', {}],
    ])
    const [initialized] = server.postsOf('notifications/initialized').slice(-1)
    const [restored] = server.postsOf('resources/subscribe').slice(-1)
    const sessionOf = (post: typeof restored) => post?.request.headers['mcp-session-id']
    expect(sessionOf(restored)).toBe(sessionOf(initialized))
    expect(client.lines).toHaveLength(7)
  })

  it('has nothing that the server refused, and nothing of an earlier initialization', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await ask(client, 'logging/setLevel', { level: 'debug' })
    await client.initialize()
    server.on('resources/subscribe', ({ message, response }) => {
      const error = { code: -32602, message: 'There is no such resource.' }
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ jsonrpc: '2.0', id: message['id'], error }))
    })
    client.send({ jsonrpc: '2.0', id: 'x', method: 'resources/subscribe', params: { uri: 'a:b' } })
    await client.next()
    server.sessions.clear()

    await ask(client, 'tools/list', {})

    expect(paramsOf(server, 'logging/setLevel')).toEqual([{ level: 'debug' }])
    expect(paramsOf(server, 'resources/subscribe')).toEqual([{ uri: 'a:b' }])
  })

  it('is used all the same when the server refuses to restore a subscription', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await ask(client, 'resources/subscribe', { uri: 'file:///a' })
    server.sessions.clear()
    server.on('resources/subscribe', ({ response }) => response.writeHead(500).end())

    await ask(client, 'tools/list', {})

    expect(client.log.join()).toContain('resources/subscribe')
  })
})
