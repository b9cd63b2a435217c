/**
 * Writes messages in the response to a request of a local client.
 *
 * @module
 */
import type { ServerResponse } from 'node:http'

/** A response that is plain JSON or a stream of server-sent events. */
export interface ResponseStream {
  /** Writes a message, with backpressure. */
  write(text: string): Promise<void>
  /** Writes the last message. If it is the only one, the response is plain JSON. */
  finish(text: string, headers?: Readonly<Record<string, string>>): Promise<void>
  /** Starts the stream before the first message. */
  begin(): void
  end(): void
  /** Whether the client has closed it, or it has ended. */
  readonly isClosed: boolean
}

/** The interval of keep-alive comments in milliseconds: clients and proxies close idle connections. */
const keepAliveMs = 15_000
/** The time before the first comment in milliseconds; until then the response may become plain JSON. */
const firstKeepAliveMs = 5000

/**
 * Creates a stream for a response.
 *
 * @param headers - Headers of the response.
 * @param mayStream - Whether the client accepts a stream; otherwise the response is plain JSON.
 */
export function responseStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  mayStream = true,
): ResponseStream {
  let timer: NodeJS.Timeout | undefined
  const arm = (delayMs: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      begin()
      response.write(':\n\n')
      arm(keepAliveMs)
    }, delayMs)
    timer.unref()
  }
  const begin = () => {
    if (response.headersSent || response.destroyed) return
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
    })
    response.flushHeaders()
  }
  // One shared promise, so that waiting writers do not add listeners.
  let draining: Promise<void> | undefined
  const write = async (text: string) => {
    begin()
    if (response.destroyed || response.writableEnded) return
    arm(keepAliveMs)
    if (!response.write(`data: ${text}\n\n`)) {
      draining ??= drained(response).finally(() => {
        draining = undefined
      })
    }
    await draining
  }
  response.once('close', () => clearTimeout(timer))
  response.on('error', () => {})
  if (mayStream) arm(firstKeepAliveMs)
  return {
    begin,
    write,
    async finish(text, more = {}) {
      if (response.headersSent) {
        await write(text)
        response.end()
        return
      }
      const type = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
      response.writeHead(200, { ...more, ...type }).end(text)
    },
    end: () => void response.end(),
    get isClosed() {
      return response.destroyed || response.writableEnded
    },
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      response.off('drain', finish)
      response.off('close', finish)
      resolve()
    }
    response.on('drain', finish)
    response.on('close', finish)
  })
}
