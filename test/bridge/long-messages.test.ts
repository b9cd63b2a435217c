import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { reply, scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

const megabyte = 1024 * 1024
const filler = new TextEncoder().encode('a'.repeat(megabyte))
const start = '{"jsonrpc":"2.0","id":1,"result":{"text":"'
const end = '"}}'

/** A server that answers with a text of so many megabytes, in one message. */
function answering(type: 'application/json' | 'text/event-stream', megabytes: number) {
  const state = { sent: 0, isCancelled: false, requests: 0 }
  const isStream = type === 'text/event-stream'
  const encode = (text: string) => new TextEncoder().encode(text)
  const fetch = async () => {
    state.requests += 1
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) =>
          controller.enqueue(encode(`${isStream ? 'id: 1\ndata: ' : ''}${start}`)),
        pull(controller) {
          if (state.sent < megabytes) {
            state.sent += 1
            return controller.enqueue(filler)
          }
          controller.enqueue(encode(`${end}${isStream ? '\n\n' : ''}`))
          controller.close()
        },
        cancel() {
          state.isCancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-type': type } })
  }
  return { state, fetch }
}

describe.each(['application/json', 'text/event-stream'] as const)('a message in %s', (type) => {
  it('passes with ten megabytes', async () => {
    const { fetch } = answering(type, 10)
    const client = lineClient('https://mcp.example.com/mcp', { fetch })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const line = await client.nextLine()

    expect(line.length).toBe(start.length + 10 * megabyte + end.length)
  })

  it('is read no further than 64 megabytes, and not asked for again', async () => {
    const { state, fetch } = answering(type, 1000)
    const client = lineClient('https://mcp.example.com/mcp', { fetch })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.next()).toMatchObject({
      id: 1,
      error: {
        message: expect.stringContaining('longer than 64 MB'),
        data: { code: 'invalid_response', retryable: false },
      },
    })
    expect(state.sent).toBeLessThan(70)
    expect(state.isCancelled).toBe(true)
    expect(state.requests).toBe(1)
  })
})

describe('an event of many short lines', () => {
  it('is read no further than a million lines, and not asked for again', async () => {
    let sent = 0
    const lines = new TextEncoder().encode('data:\n'.repeat(100_000))
    const fetch = async () => {
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 1
          controller.enqueue(lines)
          if (sent === 40) controller.close()
        },
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    }
    const client = lineClient('https://mcp.example.com/mcp', { fetch })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })

    expect(await client.next()).toMatchObject({
      id: 1,
      error: { message: expect.stringContaining('a million lines') },
    })
    expect(sent).toBeLessThan(15)
  })
})

describe('calls of more than 32 million characters under way', () => {
  const text = 'x'.repeat(17 * megabyte)
  const call = (id: string) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { text } })

  async function twoCalls() {
    const server = await scriptedMcp()
    const calls: string[] = []
    const answers: (() => void)[] = []
    server.on('tools/call', (post) => {
      calls.push(String(post.message['id']))
      answers.push(() => reply(post, { done: post.message['id'] }))
    })
    const client = lineClient(server.url)
    await client.initialize()
    client.send(call('a'))
    client.send(call('b'))
    await until(() => calls.length === 2, 'two calls')
    return { server, calls, answers, client }
  }

  it('let the answer to a question of the server pass', async () => {
    const { server, answers, client } = await twoCalls()
    server.on('response', ({ response }) => {
      for (const answer of answers) answer()
      response.writeHead(202).end()
    })

    client.send({ jsonrpc: '2.0', id: 7, result: { action: 'accept' } })

    const ids = [(await client.next())['id'], (await client.next())['id']]
    expect(ids.sort()).toEqual(['a', 'b'])
  })

  it('hold others back until one is answered, unless they are cancelled before', async () => {
    const { calls, answers, client } = await twoCalls()

    client.send({ jsonrpc: '2.0', id: 'c', method: 'tools/call' })
    client.send({ jsonrpc: '2.0', id: 'd', method: 'tools/call' })
    const params = { requestId: 'c' }
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
    answers[0]?.()
    await client.next()
    await until(() => calls.length === 3, 'the third call')

    expect(calls.slice(2)).toEqual(['d'])
  })
})
