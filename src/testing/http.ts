/**
 * Shared by the servers of this folder: listening on a free port, and a log of the requests.
 *
 * @module
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A request that a test server received.
 *
 * @group Servers
 */
export interface TestRequest {
  /** The HTTP method, in upper case. */
  readonly method: string
  /** The target. */
  readonly url: URL
  /** The headers, credentials included: the log is for assertions, not for printing. */
  readonly headers: Headers
  /** The body as text; empty when there was none. */
  readonly body: string
  /** The status of the response; 0 until it is sent. */
  readonly status: number
}

/** A server's response. */
export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

/** A server that listens. */
export interface Listener {
  readonly origin: string
  readonly requests: TestRequest[]
  close(): Promise<void>
}

const maxBody = 1024 * 1024

/** Listens on a free port of this machine. */
export async function listen(
  answer: (request: TestRequest) => Answer | Promise<Answer>,
): Promise<Listener> {
  const requests: TestRequest[] = []
  let origin = ''
  const server = createServer((message, response) => {
    const respond = async () => {
      const request = { ...(await read(message, origin)), status: 0 }
      requests.push(request)
      const given = await answer(request)
      request.status = given.status ?? 200
      send(response, given)
    }
    respond().catch(() => {
      if (response.headersSent) response.destroy()
      else send(response, { status: 500, body: { error: 'server_error' } })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Throws unless a number of requests is a whole number from 0, or `Infinity`. */
export function checkCount(where: string, count: number): void {
  if (count === Infinity || (Number.isSafeInteger(count) && count >= 0)) return
  throw new RangeError(`${where}: pass the number of requests, such as 1.`)
}

async function read(message: IncomingMessage, origin: string): Promise<TestRequest> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size > maxBody) throw new RangeError('The body is longer than 1 MB.')
    chunks.push(chunk)
  }
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, String(value))
  }
  const url = new URL(message.url ?? '/', origin)
  const body = Buffer.concat(chunks).toString('utf8')
  return { method: message.method ?? '', url, headers, body, status: 0 }
}

function send(response: ServerResponse, { status = 200, headers = {}, body }: Answer): void {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  response.writeHead(status, { ...type, ...headers })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
