/**
 * Messages in the answer to a local client's request.
 *
 * @module
 */
import type { ServerResponse } from 'node:http'

/** A stream of server-sent events, or what may become one. */
export interface AnswerStream {
  /** Writes a message, no faster than it is read. */
  write(text: string): Promise<void>
  /** Writes the last message. When it is the only one, the answer is plain JSON. */
  finish(text: string, headers?: Readonly<Record<string, string>>): Promise<void>
  /** Begins the stream before there is a message. */
  begin(): void
  end(): void
  /** Nobody reads it any more. */
  readonly isClosed: boolean
}

/** Clients and proxies give up connections on which nothing happens. */
const keepAliveMs = 15_000
/** Until then the answer may become plain JSON. */
const firstKeepAliveMs = 5000

/**
 * Makes a stream of a response.
 *
 * @param headers - Headers of the response.
 * @param mayStream - The client takes a stream; otherwise the answer is plain JSON, however long it takes.
 */
export function answerStream(
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
  mayStream = true,
): AnswerStream {
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
  // One promise for all who wait, or each of them would add listeners.
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
