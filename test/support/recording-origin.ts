import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** Cuts the connection, so that the client never learns the answer. */
  cut(): void
  /** Lets the client wait for ever. */
  hang(): void
}

export interface RecordingOrigin {
  readonly origin: string
  readonly requests: SeenRequest[]
  /** How many answers have not ended yet. */
  openAnswers(): number
  /** Ends the server early. */
  close(): Promise<void>
}

type Answer = (request: SeenRequest, response: ServerResponse) => unknown

/** The requests that hold a credential: a value of a header or a body in which a test has put one. */
export function withCanaries(requests: readonly SeenRequest[]): readonly SeenRequest[] {
  return requests.filter((request) => JSON.stringify(request).includes('canary'))
}

/** Answers 401 to a request without this header, as a server that wants a credential does. */
export function wantsHeader(name: string): Answer {
  return ({ headers }, response) =>
    response.writeHead(headers[name] === undefined ? 401 : 200).end('{}')
}

/** A plain HTTP server that records what it is sent, for answers that no MCP server gives. */
export async function recordingOrigin(
  answer: Answer = (_request, response) => response.end('{}'),
): Promise<RecordingOrigin> {
  const requests: SeenRequest[] = []
  let open = 0
  const server = createServer((message, response) => {
    const chunks: Buffer[] = []
    open += 1
    response.once('close', () => {
      open -= 1
    })
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => {
      const { method = '', url = '', headers } = message
      const body = Buffer.concat(chunks).toString()
      const seen = {
        method,
        url,
        headers,
        body,
        cut: () => void message.socket.destroy(),
        hang() {
          response.writeHead = () => response
          response.end = () => response
        },
      }
      requests.push(seen)
      answer(seen, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(close)
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, requests, openAnswers: () => open, close }
}
