import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { responseStream } from '../../src/bridge/response-stream.ts'

/** A response whose reader is slow. */
function slowResponse() {
  const written: string[] = []
  const response = Object.assign(new EventEmitter(), {
    headersSent: false,
    destroyed: false,
    writableEnded: false,
    writeHead: () => response,
    flushHeaders: () => {},
    write(text: string) {
      written.push(text)
      return false
    },
  })
  return { written, response }
}

describe('a stream to a client that does not read', () => {
  it('has one listener, however many messages wait', async () => {
    const { written, response } = slowResponse()
    const stream = responseStream(response as unknown as ServerResponse, {})

    const writes = Array.from({ length: 100 }, (_, index) => stream.write(String(index)))
    const listeners = response.listenerCount('drain')
    response.emit('drain')
    await Promise.all(writes)
    response.emit('close')

    expect(listeners).toBe(1)
    expect(written).toHaveLength(100)
  })
})
