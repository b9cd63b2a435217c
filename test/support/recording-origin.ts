import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface RecordingOrigin {
  readonly origin: string
  readonly requests: SeenRequest[]
}

type Answer = (request: SeenRequest, response: ServerResponse) => void

/** A plain HTTP server that records what it is sent, for answers that no MCP server gives. */
export async function recordingOrigin(
  answer: Answer = (_request, response) => response.end('{}'),
): Promise<RecordingOrigin> {
  const requests: SeenRequest[] = []
  const server = createServer((message, response) => {
    const chunks: Buffer[] = []
    message.on('data', (chunk: Buffer) => chunks.push(chunk))
    message.on('end', () => {
      const { method = '', url = '', headers } = message
      const seen = { method, url, headers, body: Buffer.concat(chunks).toString() }
      requests.push(seen)
      answer(seen, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, requests }
}
