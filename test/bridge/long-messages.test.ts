import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'

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
