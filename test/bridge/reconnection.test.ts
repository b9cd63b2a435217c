import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseMessage } from '../../src/bridge/message.ts'
import { Session } from '../../src/bridge/session.ts'
import { StreamableWire } from '../../src/bridge/streamable-wire.ts'
import type { WireOptions } from '../../src/bridge/wire.ts'

/** One event, and the end of the stream; the client shall come back at once. */
const hurried =
  'retry: 0\nid: 1\ndata: {"jsonrpc":"2.0","method":"notifications/message","params":{}}\n\n'

const eventStream = (text: string) =>
  new Response(text, { headers: { 'content-type': 'text/event-stream' } })

function wireOf(fetch: WireOptions['fetch']): StreamableWire {
  return new StreamableWire({
    fetch,
    url: new URL('https://mcp.example.com/mcp'),
    random: () => 0.5,
    receive: async () => {},
    lost: () => {},
    log: () => {},
  })
}

function messageOf(text: string) {
  const message = parseMessage(text)
  if (message === undefined) throw new Error('It is JSON.')
  return message
}

const call = () => messageOf('{"jsonrpc":"2.0","id":1,"method":"tools/call"}')

describe('a server that ends its streams at once', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is asked for the stream of notifications less and less often', async () => {
    const times: number[] = []
    const wire = wireOf(async () => {
      times.push(performance.now())
      return eventStream(hurried)
    })

    wire.listen()
    await vi.advanceTimersByTimeAsync(5000)
    wire.retire()

    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(pauses).toEqual([500, 750, 1500])
  })

  it('is asked for the rest of an answer less and less often', async () => {
    const times: number[] = []
    const wire = wireOf(async () => {
      times.push(performance.now())
      return eventStream(hurried)
    })
    const giveUp = new AbortController()

    const { finished } = await wire.post(call(), { signal: giveUp.signal })
    await vi.advanceTimersByTimeAsync(5000)
    giveUp.abort()
    await finished

    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(pauses).toEqual([500, 750, 1500])
  })

  it('is asked again soon when the stream before has lasted', async () => {
    const times: number[] = []
    const wire = wireOf(async () => {
      times.push(performance.now())
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(hurried))
          setTimeout(() => controller.close(), 6000)
        },
      })
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    })

    wire.listen()
    await vi.advanceTimersByTimeAsync(20_000)
    wire.retire()

    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0))
    expect(pauses).toEqual([6500, 6500, 6500])
  })

  it('leaves no listener on the signals of its streams', async () => {
    const signals = new Set<AbortSignal>()
    const wire = wireOf(async (_input, init) => {
      const { signal } = init ?? {}
      if (signal !== undefined && signal !== null) {
        signals.add(signal)
        // As the runtime's own fetch does.
        signal.addEventListener('abort', () => {})
      }
      return eventStream(hurried)
    })
    const giveUp = new AbortController()

    wire.listen()
    const { finished } = await wire.post(call(), { signal: giveUp.signal })
    await vi.advanceTimersByTimeAsync(60_000)
    const counts = [...signals].map((signal) => getEventListeners(signal, 'abort').length)
    giveUp.abort()
    await finished
    wire.retire()

    expect(counts.length).toBeGreaterThan(5)
    expect(Math.max(...counts)).toBeLessThanOrEqual(2)
  })
})

describe('a stream with identifiers', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it.each([
    ['plain-1', 'plain-1'],
    ['événement-1', Buffer.from('événement-1').toString('latin1')],
    ['イベント-1', Buffer.from('イベント-1').toString('latin1')],
    ['a\u0001b', 'before'],
    ['é'.repeat(2100), 'before'],
  ])('is resumed after %j', async (id, header) => {
    const headers: (string | null)[] = []
    const wire = wireOf(async (_input, init) => {
      const { method, headers: given } = new Request('https://mcp.example.com/mcp', init)
      if (method === 'POST') return eventStream(`id: before\ndata:\n\nid: ${id}\ndata:\n\n`)
      headers.push(given.get('last-event-id'))
      return eventStream('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')
    })
    const { signal } = new AbortController()

    const { finished } = await wire.post(call(), { signal })
    await vi.advanceTimersByTimeAsync(2000)
    await finished

    expect(headers).toEqual([header])
  })
})

describe('a server that ends its sessions at once', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is asked for a new one less and less often', async () => {
    const times: number[] = []
    let gets = 0
    const session = new Session({
      fetch: async (_input, init) => {
        if (init?.method === 'DELETE') return new Response(null, { status: 204 })
        if (init?.method === undefined) {
          gets += 1
          return gets % 2 === 1 ? eventStream('retry: 0\n\n') : new Response(null, { status: 404 })
        }
        const message = JSON.parse(String(init.body)) as { id?: string; method: string }
        if (message.method !== 'initialize') return new Response(null, { status: 202 })
        times.push(performance.now())
        const result = { protocolVersion: '2025-11-25', capabilities: {} }
        const headers = { 'content-type': 'application/json', 'mcp-session-id': `s${times.length}` }
        return new Response(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }), { headers })
      },
      url: new URL('https://mcp.example.com/mcp'),
      random: () => 0.5,
      receive: async (message) => {
        const [part] = message.parts
        if (part !== undefined) session.answered(initialize, part)
      },
      log: () => {},
    })
    const { signal } = new AbortController()
    const initialize = messageOf('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}')
    const initialized = messageOf('{"jsonrpc":"2.0","method":"notifications/initialized"}')

    const accepted = await session.send(initialize, { signal })
    await accepted?.finished
    await session.send(initialized, { signal })
    await vi.advanceTimersByTimeAsync(120_000)
    await session.close(signal)

    expect(times.length).toBeGreaterThan(5)
    expect(times.length).toBeLessThan(12)
  })
})
