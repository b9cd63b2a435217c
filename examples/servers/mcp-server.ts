import { randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions as TlsOptions } from 'node:https'
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import {
  type EventStore,
  StreamableHTTPServerTransport,
} from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { isInitializeRequest, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import express from 'express'
import { z } from 'zod'

/** Who a request was made as. */
export interface Identity {
  readonly subject: string
  readonly tenant?: string
  readonly roles?: readonly string[]
}

/** The request is let in. */
export interface Acceptance {
  readonly identity: Identity
}

/** The request is turned away. */
export interface Rejection {
  readonly identity?: never
  /** 401 unless told. */
  readonly status?: number
  /** The value of `WWW-Authenticate`. */
  readonly challenge?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What an {@link Authenticate} function decides. */
export type Verdict = Acceptance | Rejection

/** Decides whether a request is let in; `rawBody` holds the exact bytes received. */
export type Authenticate = (request: express.Request, rawBody: Buffer) => Verdict | Promise<Verdict>

/** One request the server saw. */
export interface RecordedRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** Without the question mark; empty when there was none. */
  readonly query: string
  readonly headers: IncomingHttpHeaders
  /** Filled in once it was read. */
  body: string
  /** 0 until the response head was sent. */
  status: number
  authenticated: boolean
}

/** Which requests {@link RunningServer.rejectNext} turns away, and how. */
export interface RejectOptions {
  readonly method?: string
  /** 401 unless told. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
}

/** A server that is listening. */
export interface RunningServer {
  /** The MCP endpoint: `/mcp`, or `/sse` for the kind `sse`. */
  readonly url: URL
  readonly origin: string
  /** Every request the server saw, on any path, in the order of arrival. */
  readonly requests: RecordedRequest[]
  /** Turns away the next `count` matching requests to MCP paths, before authentication. */
  rejectNext(count: number, options?: RejectOptions): void
  /** Cuts every open event stream, so that clients reconnect. */
  dropStreams(): void
  /** Sends `notifications/tools/list_changed` to every session. */
  notify(): Promise<void>
  /** Closes sessions, sockets and the server. */
  close(): Promise<void>
}

/** The transport of the server. */
export type ServerKind = 'stateful' | 'stateless' | 'sse'

/** Options of {@link startMcpServer}. */
export interface ServerOptions {
  readonly authenticate: Authenticate
  /** `stateful` unless told. */
  readonly kind?: ServerKind
  /** Gets one line a request, without credentials. */
  readonly announce?: (line: string) => void
  /** Adds routes that need no authentication; `request.body` is a `Buffer` there. */
  readonly configure?: (app: express.Express) => void
  /** The reconnection delay suggested to clients in milliseconds, 50 unless told. */
  readonly retryInterval?: number
  /** Serves https with these certificates, instead of http. */
  readonly tls?: TlsOptions
  /** Makes the tools of each session: `echo` and `whoami` unless told. */
  readonly createTools?: () => McpServer
}

/** {@link ServerOptions} of a server that brings its own `authenticate`. */
export type HostOptions = Omit<ServerOptions, 'authenticate'>

interface Session {
  readonly server: McpServer
  readonly transport: StreamableHTTPServerTransport | SSEServerTransport
}

interface RejectRule {
  left: number
  readonly options: RejectOptions
}

interface RouteContext {
  readonly app: express.Express
  readonly sessions: Map<string, Session>
  readonly retryInterval: number
  readonly createTools: () => McpServer
}

/** Starts an MCP server with the tools `echo` and `whoami` on a free port of 127.0.0.1. */
export async function startMcpServer(options: ServerOptions): Promise<RunningServer> {
  const { authenticate, kind = 'stateful', announce, configure, retryInterval = 50, tls } = options
  const requests: RecordedRequest[] = []
  const rules: RejectRule[] = []
  const open = new Set<express.Response>()
  const sessions = new Map<string, Session>()
  const app = express()
  app.disable('x-powered-by')

  app.use((request, response, next) => {
    const [path = '', ...query] = request.originalUrl.split('?')
    const record: RecordedRequest = {
      method: request.method,
      path,
      query: query.join('?'),
      headers: request.headers,
      body: '',
      status: 0,
      authenticated: false,
    }
    requests.push(record)
    response.locals['record'] = record
    // At the head, not at the end: an event stream would be reported only after it was cut.
    afterHead(response, () => {
      record.status = response.statusCode
      const subject: unknown = response.locals['subject']
      const suffix = typeof subject === 'string' ? ` as ${printable(subject)}` : ''
      const what = describeBody(record.body)
      announce?.(`${record.method} ${printable(path)}${what} → ${record.status}${suffix}`)
    })
    next()
  })
  app.use(express.raw({ type: () => true, limit: '4mb' }))
  app.use((request, response, next) => {
    recordOf(response).body = rawBodyOf(request).toString('utf8')
    next()
  })
  configure?.(app)

  app.use(kind === 'sse' ? ['/sse', '/messages'] : '/mcp', async (request, response, next) => {
    open.add(response)
    response.once('close', () => open.delete(response))
    const rule = rules.find(
      ({ left, options: { method } }) =>
        left > 0 && (method === undefined || method.toUpperCase() === request.method),
    )
    if (rule !== undefined) {
      rule.left -= 1
      reject(response, rule.options)
      return
    }
    const verdict = await authenticate(request, rawBodyOf(request))
    if (verdict.identity === undefined) {
      reject(response, verdict)
      return
    }
    const { identity } = verdict
    recordOf(response).authenticated = true
    response.locals['subject'] = identity.subject
    const auth: AuthInfo = {
      // The handlers do not receive the credential.
      token: '',
      clientId: identity.subject,
      scopes: [...(identity.roles ?? [])],
      extra: { identity },
    }
    Object.assign(request, { auth })
    next()
  })

  const createTools = options.createTools ?? createExampleTools
  const context: RouteContext = { app, sessions, retryInterval, createTools }
  if (kind === 'stateful') addStatefulRoutes(context)
  else if (kind === 'stateless') addStatelessRoutes(context)
  else addSseRoutes(context)

  app.use(
    (
      error: unknown,
      _request: express.Request,
      response: express.Response,
      _next: express.NextFunction,
    ) => {
      if (response.headersSent) response.destroy()
      else response.status(statusOf(error)).json({ error: 'server_error' })
    },
  )

  const http = tls === undefined ? createServer(app) : createTlsServer(tls, app)
  await new Promise<void>((resolve, fail) => {
    http.once('error', fail)
    http.listen(0, '127.0.0.1', resolve)
  })
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on TCP')
  const origin = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`

  return {
    url: new URL(kind === 'sse' ? '/sse' : '/mcp', origin),
    origin,
    requests,
    rejectNext(count, rejectOptions = {}) {
      rules.push({ left: count, options: rejectOptions })
    },
    dropStreams() {
      // A response whose head was sent and that is still open is an event stream here.
      for (const response of open) if (response.headersSent) response.socket?.destroy()
    },
    async notify() {
      await Promise.all(
        [...sessions.values()].map(({ server }) => server.server.sendToolListChanged()),
      )
    },
    async close() {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()))
      await Promise.all([...sessions.values()].map(({ server }) => server.close()))
      sessions.clear()
      http.closeAllConnections()
      await closed
    },
  }
}

function addStatefulRoutes({ app, sessions, retryInterval, createTools }: RouteContext): void {
  app.post('/mcp', async (request, response) => {
    const message = parseBody(request, response)
    if (message === undefined) return
    const id = request.get('mcp-session-id')
    if (id === undefined && isInitializeRequest(message)) {
      const server = createTools()
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: createEventStore(),
        retryInterval,
        onsessioninitialized: (sessionId) => {
          sessions.set(sessionId, { server, transport })
        },
      })
      transport.onclose = () => {
        if (transport.sessionId !== undefined) sessions.delete(transport.sessionId)
      }
      await server.connect(transport)
      await transport.handleRequest(request, response, message)
      return
    }
    const transport = findStreamable(sessions, id, response)
    await transport?.handleRequest(request, response, message)
  })
  app.get('/mcp', async (request, response) => {
    suggestRetry(response, retryInterval)
    const transport = findStreamable(sessions, request.get('mcp-session-id'), response)
    await transport?.handleRequest(request, response)
  })
  app.delete('/mcp', async (request, response) => {
    const transport = findStreamable(sessions, request.get('mcp-session-id'), response)
    await transport?.handleRequest(request, response)
  })
}

function addStatelessRoutes({ app, createTools }: RouteContext): void {
  app.post('/mcp', async (request, response) => {
    const message = parseBody(request, response)
    if (message === undefined) return
    const server = createTools()
    const transport = new StreamableHTTPServerTransport()
    response.once('close', () => {
      void server.close()
    })
    await server.connect(transport)
    await transport.handleRequest(request, response, message)
  })
  app.all('/mcp', (_request, response) => {
    response.set('Allow', 'POST')
    sendRpcError(response, 405, -32000, 'Method not allowed')
  })
}

function addSseRoutes({ app, sessions, retryInterval, createTools }: RouteContext): void {
  app.get('/sse', async (_request, response) => {
    suggestRetry(response, retryInterval)
    const server = createTools()
    const transport = new SSEServerTransport('/messages', response)
    sessions.set(transport.sessionId, { server, transport })
    response.once('close', () => sessions.delete(transport.sessionId))
    await server.connect(transport)
  })
  app.post('/messages', async (request, response) => {
    const message = parseBody(request, response)
    if (message === undefined) return
    const id = request.query['sessionId']
    const session = typeof id === 'string' ? sessions.get(id) : undefined
    if (session?.transport instanceof SSEServerTransport) {
      await session.transport.handlePostMessage(request, response, message)
    } else {
      sendRpcError(response, 404, -32001, 'Session not found')
    }
  })
}

function createExampleTools(): McpServer {
  const server = new McpServer(
    { name: 'example', version: '1.0.0' },
    { capabilities: { tools: { listChanged: true }, logging: {} } },
  )
  server.registerTool(
    'echo',
    { description: 'Returns the text it was given', inputSchema: { text: z.string() } },
    ({ text }) => ({ content: [{ type: 'text', text }] }),
  )
  server.registerTool(
    'whoami',
    { description: 'Tells who the caller is', inputSchema: {} },
    (_input, { authInfo }) => ({
      content: [{ type: 'text', text: JSON.stringify(authInfo?.extra?.['identity'] ?? null) }],
    }),
  )
  return server
}

function createEventStore(): EventStore {
  const events: { readonly streamId: string; readonly message: JSONRPCMessage }[] = []
  return {
    async storeEvent(streamId, message) {
      events.push({ streamId, message })
      return String(events.length)
    },
    async getStreamIdForEventId(eventId) {
      return events[Number(eventId) - 1]?.streamId
    },
    async replayEventsAfter(lastEventId, { send }) {
      const last = Number(lastEventId)
      const streamId = events[last - 1]?.streamId ?? ''
      for (const [index, event] of events.entries()) {
        // A priming event is stored as an empty message, which is no JSON-RPC to replay.
        const replayable = event.streamId === streamId && 'jsonrpc' in event.message
        if (index >= last && replayable) await send(String(index + 1), event.message)
      }
      return streamId
    },
  }
}

function findStreamable(
  sessions: ReadonlyMap<string, Session>,
  id: string | undefined,
  response: express.Response,
): StreamableHTTPServerTransport | undefined {
  if (id === undefined) {
    sendRpcError(response, 400, -32000, 'Bad Request: Mcp-Session-Id header is required')
    return undefined
  }
  const transport = sessions.get(id)?.transport
  if (transport instanceof StreamableHTTPServerTransport) return transport
  sendRpcError(response, 404, -32001, 'Session not found')
  return undefined
}

function parseBody(request: express.Request, response: express.Response): unknown {
  try {
    const message: unknown = JSON.parse(rawBodyOf(request).toString('utf8'))
    return message
  } catch {
    sendRpcError(response, 400, -32700, 'Parse error')
    return undefined
  }
}

function rawBodyOf(request: express.Request): Buffer {
  const body: unknown = request.body
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function recordOf(response: express.Response): RecordedRequest {
  return response.locals['record'] as RecordedRequest
}

function reject(response: express.Response, rejection: Rejection): void {
  const { status = 401, challenge, headers = {} } = rejection
  if (challenge !== undefined) response.set('WWW-Authenticate', challenge)
  response.set(headers)
  response.status(status).json({ error: status === 401 ? 'unauthorized' : 'rejected' })
}

function sendRpcError(
  response: express.Response,
  status: number,
  code: number,
  message: string,
): void {
  response.status(status).json({ jsonrpc: '2.0', error: { code, message }, id: null })
}

function afterHead(response: ServerResponse, callback: () => void): void {
  const writeHead = response.writeHead
  response.writeHead = (...args: unknown[]) => {
    Reflect.apply(writeHead, response, args)
    callback()
    return response
  }
}

// The SDK sends `retry:` only with the priming event of a POST stream; without one on the GET
// stream, clients wait their own default of one to three seconds.
function suggestRetry(response: ServerResponse, milliseconds: number): void {
  afterHead(response, () => {
    if (response.statusCode === 200) response.write(`retry: ${milliseconds}\n\n`)
  })
}

function describeBody(body: string): string {
  const message = parseJson(body)
  if (Array.isArray(message)) return ` batch of ${message.length}`
  if (!isObject(message)) return ''
  const method = message['method']
  const params = message['params']
  if (typeof method !== 'string') return ''
  const name = method === 'tools/call' && isObject(params) ? params['name'] : undefined
  return ` ${printable(method)}${typeof name === 'string' ? ` ${printable(name)}` : ''}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

// What the client sent must not be able to forge lines or move the cursor of a terminal.
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)

function statusOf(error: unknown): number {
  const status = isObject(error) ? error['status'] : undefined
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}
