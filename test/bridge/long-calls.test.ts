import { describe, expect, it, onTestFinished } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { scriptedMcp } from '../support/scripted-mcp.ts'

interface Dispatcher {
  dispatch(options: object, handler: object): boolean
}

/** Records what the runtime's `fetch` asks of its connections. */
async function recordedDispatches() {
  const symbol = Symbol.for('undici.globalDispatcher.1')
  // The runtime loads its `fetch` at first use.
  await fetch('data:,')
  const before = Reflect.get(globalThis, symbol) as Dispatcher
  const recorded: object[] = []
  const dispatch: Dispatcher['dispatch'] = (options, handler) => {
    recorded.push(options)
    return before.dispatch(options, handler)
  }
  Reflect.set(globalThis, symbol, Object.create(before, { dispatch: { value: dispatch } }))
  onTestFinished(() => void Reflect.set(globalThis, symbol, before))
  return recorded
}

describe('a call that takes long', () => {
  it('is waited for without the time limits of the runtime, through the dispatcher of the program', async () => {
    const recorded = await recordedDispatches()
    const server = await scriptedMcp()
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await client.next()

    expect(recorded).toEqual([
      expect.objectContaining({ method: 'POST', headersTimeout: 0, bodyTimeout: 0 }),
    ])
  })

  it('goes through the own fetch of the program as it is', async () => {
    const server = await scriptedMcp()
    const inits: (RequestInit | undefined)[] = []
    const client = lineClient(server.url, {
      fetch: (input, init) => {
        inits.push(init)
        return fetch(input, init)
      },
    })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await client.next()

    expect(inits).toHaveLength(1)
    expect(inits[0]).not.toHaveProperty('dispatcher')
  })
})
