import type { ServerResponse } from 'node:http'
import type { Json } from './bridge-client.ts'
import { type RecordingOrigin, recordingOrigin, type SeenRequest } from './recording-origin.ts'

/** A message that the scripted server received. */
export interface Posted {
  readonly request: SeenRequest
  readonly message: Json
  readonly response: ServerResponse
  readonly sessionId: string | undefined
}

/** An open event stream to a client. */
export interface OpenStream {
  readonly request: SeenRequest
  event(data: Json | string, id?: string): void
  /** Suggests a delay in milliseconds. */
  retry(milliseconds: number): void
  end(): void
  /** Ends it as a crash does. */
  cut(): void
}

type Answer = (posted: Posted) => unknown

export interface ScriptedMcp extends RecordingOrigin {
  readonly url: string
  /** The sessions that the server knows. */
  readonly sessions: Set<string>
  /** The streams of notifications, in the order in which they were opened. */
  readonly streams: OpenStream[]
  /** What was posted, in order. */
  readonly posted: Json[]
  postsOf(method: string): { readonly request: SeenRequest; readonly message: Json }[]
  /** Answers a method; without a script there is an empty result. */
  on(method: string, answer: Answer): void
  /** Answers 401 to what has no credential. */
  wantsCredential: boolean
  /** Answers requests for streams, instead of opening one. */
  onGet: ((request: SeenRequest, response: ServerResponse) => boolean) | undefined
}

/** Answers a request with JSON. */
export function reply({ message, response }: Posted, result: Json, headers: Json = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...(headers as object) })
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message['id'], result }))
}

/** Begins an event stream. */
export function openStream(request: SeenRequest, response: ServerResponse): OpenStream {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  return {
    request,
    event(data, id) {
      const text = typeof data === 'string' ? data : JSON.stringify(data)
      response.write(`${id === undefined ? '' : `id: ${id}\n`}data: ${text}\n\n`)
    },
    retry: (milliseconds) => void response.write(`retry: ${milliseconds}\n\n`),
    end: () => void response.end(),
    cut: () => void response.socket?.destroy(),
  }
}

/** A Streamable HTTP server whose every answer a test can decide. */
export async function scriptedMcp(): Promise<ScriptedMcp> {
  const sessions = new Set<string>()
  const streams: OpenStream[] = []
  const posted: { request: SeenRequest; message: Json }[] = []
  const answers = new Map<string, Answer>()
  const origin = await recordingOrigin((request, response) => {
    const sessionId = request.headers['mcp-session-id'] as string | undefined
    if (server.wantsCredential && request.headers.authorization === undefined) {
      return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    }
    const isUnknown = sessionId !== undefined && !sessions.has(sessionId)
    const isElsewhere = !request.url.startsWith('/mcp')
    if (isUnknown || isElsewhere) return void response.writeHead(404).end()
    if (request.method === 'DELETE') {
      sessions.delete(sessionId ?? '')
      return void response.writeHead(204).end()
    }
    if (request.method === 'GET') {
      if (server.onGet?.(request, response) === true) return
      return void streams.push(openStream(request, response))
    }
    // What is sent to find out whether a credential is wanted.
    if (request.body === '') return void response.writeHead(400).end()
    const message = JSON.parse(request.body) as Json
    posted.push({ request, message })
    const post = { request, message, response, sessionId }
    const scripted = answers.get(String(message['method'] ?? 'response'))
    if (scripted !== undefined) return void scripted(post)
    if (message['method'] === 'initialize') {
      const id = `session-${sessions.size + 1}-${posted.length}`
      sessions.add(id)
      return reply(
        post,
        { protocolVersion: '2025-11-25', capabilities: {} },
        { 'mcp-session-id': id },
      )
    }
    if (message['id'] === undefined || message['method'] === undefined) {
      return void response.writeHead(202).end()
    }
    reply(post, {})
  })
  const server: ScriptedMcp = {
    ...origin,
    url: `${origin.origin}/mcp`,
    sessions,
    streams,
    get posted() {
      return posted.map(({ message }) => message)
    },
    postsOf: (method) => posted.filter(({ message }) => message['method'] === method),
    on: (method, answer) => void answers.set(method, answer),
    onGet: undefined,
    wantsCredential: false,
  }
  return server
}
