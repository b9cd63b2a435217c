import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a client sent. */
export interface PlainRequest {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What it is answered; `cut` closes the connection instead. */
export type PlainAnswer =
  | 'cut'
  | {
      readonly status: number
      readonly headers?: Record<string, string>
      /** The beginning of a body that does not end. */
      readonly open?: string
    }

/** A server on a port of its own that keeps what it was sent. */
export interface PlainServer extends AsyncDisposable {
  readonly url: URL
  readonly requests: PlainRequest[]
  /** Read by the test's own `answer`. */
  refuses: boolean
}

/** Starts an HTTP server that needs nothing but what every runtime has of `node:http`. */
export async function startPlainServer(
  answer: (request: PlainRequest, count: number) => PlainAnswer = () => ({ status: 200 }),
): Promise<PlainServer> {
  const requests: PlainRequest[] = []
  const server = createServer(async (message, response) => {
    const { method = '', url = '', headers } = message
    let body = ''
    message.setEncoding('utf8')
    for await (const chunk of message) body += chunk
    const request = { method, url, headers, body }
    requests.push(request)
    reply(response, answer(request, requests.length))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  let closing: Promise<void> | undefined
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    requests,
    refuses: false,
    [Symbol.asyncDispose]() {
      closing ??= close()
      return closing
    },
  }
}

function reply(response: ServerResponse, answer: PlainAnswer): void {
  if (answer === 'cut') return void response.destroy()
  response.writeHead(answer.status, answer.headers)
  if (answer.open === undefined) response.end('{}')
  else response.write(answer.open)
}
