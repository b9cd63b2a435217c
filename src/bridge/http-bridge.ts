/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A local HTTP server that relays to an MCP server, with credentials.
 *
 * @module
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { within } from '../waiting.ts'
import { checkLocalRequest, readBody } from './local-requests.ts'
import { type LocalPost, LocalSession, type SharedBySessionless } from './local-session.ts'
import { LoginOffers } from './login-offers.ts'
import { errorText, initializeOf, parseClientMessage, requestsOf } from './message.ts'
import { type CommonBridgeOptions, openUplink, type Uplink } from './options.ts'

/**
 * The options of {@link bridge}, and those of `authorizedFetch`.
 *
 * @group Bridges
 */
export interface BridgeOptions extends CommonBridgeOptions {
  /** The port on 127.0.0.1. Default 0: a free one is chosen. */
  readonly port?: number
}

/**
 * A running local MCP server.
 *
 * @group Bridges
 */
export interface Bridge {
  /** Its URL. It is a secret, because programs that know it can use the credential. */
  readonly url: URL
  /** Ends every session, here and at the server. Waits at most two seconds for the server. */
  close(): Promise<void>
  /** The same as {@link Bridge.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

const maxBodyBytes = 64 * 1024 * 1024
const maxSessions = 100
const closeLimitMs = 2000

/**
 * Serves Streamable HTTP on 127.0.0.1, for clients and frameworks that accept only a URL, and relays to a
 * server with either HTTP transport. Each session of a client has its own session at the server.
 *
 * When the provider has no credential (`LoginRequiredError` with the reason `no_credential`), requests are
 * sent without one: many servers require none. After a 401 or 403 the provider's error is returned. A
 * message may have 64 MB and a million values.
 *
 * Requests must have the random path of the URL, and `Host` and `Origin` headers of this machine, so web
 * pages cannot use it.
 *
 * @example
 * ```ts
 * import { apiKey, env } from 'mcp-credentials'
 * import { bridge } from 'mcp-credentials/node'
 *
 * const local = await bridge(apiKey({ value: env('MCP_API_KEY') }), {
 *   resource: 'https://mcp.example.com/mcp',
 * })
 * console.log(local.url.href)
 * await local.close()
 * ```
 *
 * @param provider - A provider, or a selector such as `perTenant`.
 * @throws `ConfigurationError` when an option is invalid or the port is in use.
 * @see MCP 2025-11-25, Transports, Streamable HTTP
 * @group Bridges
 */
export async function bridge(
  provider: CredentialProvider | CredentialSelector,
  options: BridgeOptions,
): Promise<Bridge> {
  const { port = 0, ...rest } = options ?? {}
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new ConfigurationError('bridge.port', 'bridge: `port` must be an integer up to 65535.')
  }
  const uplink = openUplink('bridge', provider, rest)
  const path = `/${randomBytes(24).toString('base64url')}/mcp`
  const sessions = new LocalSessions(uplink)
  const server = createServer((request, response) => {
    handle(sessions, path, request, response).catch(() => response.destroy())
  })
  // Streams and requests that wait for the user have no time limit.
  server.requestTimeout = 0
  await listen(server, port).catch(async (error: unknown) => {
    await uplink.close()
    throw error
  })
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= closeAll(server, sessions, uplink)
    return closing
  }
  const address = server.address() as AddressInfo
  const url = new URL(`http://127.0.0.1:${address.port}${path}`)
  return { url, close, [Symbol.asyncDispose]: close }
}

/** The sessions of the local clients. */
class LocalSessions {
  readonly #uplink: Uplink
  readonly #sessions = new Map<string, LocalSession>()
  readonly #unnamed = new Set<LocalSession>()
  readonly #shared: SharedBySessionless

  constructor(uplink: Uplink) {
    this.#uplink = uplink
    const logins = new LoginOffers(uplink.onLoginRequired, async () => {})
    this.#shared = { channel: uplink.open(), logins }
  }

  /** The session of a request. The table is ordered by last use. */
  find(id: string): LocalSession | undefined {
    const session = this.#sessions.get(id)
    if (session === undefined) return undefined
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    return session
  }

  /** Adds a session. The limit removes sessions of clients that disconnected without ending them. */
  add(): LocalSession {
    const session = new LocalSession(randomUUID(), this.#uplink)
    this.#sessions.set(session.id, session)
    if (this.#sessions.size > maxSessions) {
      const quiet = [...this.#sessions.values()].find((each) => each.isIdle && each !== session)
      if (quiet !== undefined) this.end(quiet).catch(() => {})
    }
    return session
  }

  /** Answers a request without a session, with a separate relay. */
  async answerStateless(post: LocalPost, response: ServerResponse): Promise<void> {
    const session = new LocalSession('', this.#uplink, this.#shared)
    this.#unnamed.add(session)
    // Closing the request cancels it (MCP 2026-07-28, Cancellation).
    const closed = new Promise<void>((resolve) => response.once('close', resolve))
    const answered = session.answer(post, response)
    answered.catch(() => {})
    await Promise.race([answered, closed])
    this.#unnamed.delete(session)
    await session.close(AbortSignal.timeout(closeLimitMs))
  }

  /** Relays a notification without a session. */
  async takeStateless(post: LocalPost): Promise<void> {
    const session = new LocalSession('', this.#uplink, this.#shared)
    this.#unnamed.add(session)
    await session.take(post)
    this.#unnamed.delete(session)
    await session.close(AbortSignal.timeout(closeLimitMs))
  }

  async end(session: LocalSession): Promise<void> {
    this.#sessions.delete(session.id)
    await session.close(AbortSignal.timeout(closeLimitMs))
  }

  async close(): Promise<void> {
    const all = [...this.#sessions.values(), ...this.#unnamed]
    this.#sessions.clear()
    const farewell = AbortSignal.timeout(closeLimitMs)
    await Promise.all(all.map((session) => session.close(farewell)))
  }
}

async function handle(
  sessions: LocalSessions,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const refused = checkLocalRequest(request, path)
  if (refused !== undefined) return refuse(response, refused.status, refused.reason)
  const id = request.headers['mcp-session-id']
  const session = typeof id === 'string' ? sessions.find(id) : undefined
  if (id !== undefined && session === undefined) {
    return refuse(response, 404, 'The session does not exist.')
  }
  switch (request.method) {
    case 'POST':
      return handlePost(sessions, session, request, response)
    case 'GET':
      if (session === undefined) return refuse(response, 405, 'A stream requires a session.')
      return session.listen(response)
    case 'DELETE':
      if (session === undefined)
        return refuse(response, 400, 'The Mcp-Session-Id header is missing.')
      await sessions.end(session)
      response.writeHead(204).end()
      return
    default:
      return refuse(response, 405, 'Use POST, GET or DELETE.')
  }
}

async function handlePost(
  sessions: LocalSessions,
  known: LocalSession | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A web page cannot send this type without a preflight request, which is not answered.
  if (!/^application\/json[\t ]*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    return refuse(response, 415, 'Content-Type must be application/json.')
  }
  const text = await readBody(request, maxBodyBytes)
  if (text === undefined) return refuse(response, 413, 'The message is too long.')
  const message = parseClientMessage(text)
  if (message === 'too long') return refuse(response, 413, 'The message is too long.')
  if (message === 'no JSON') return refuse(response, 400, 'The message is not JSON.', -32_700)
  const takesStream = /text\/event-stream|\*\/\*/.test(request.headers.accept ?? '*/*')
  const begins = initializeOf(message) !== undefined
  const post = { text, headers: mcpHeaders(request), takesStream, begins }
  if (requestsOf(message).length === 0) {
    response.writeHead(202).end()
    return known === undefined ? sessions.takeStateless(post) : known.take(post)
  }
  if (known !== undefined) return known.answer(post, response)
  if (!begins) return sessions.answerStateless(post, response)
  return sessions.add().answer(post, response)
}

/**
 * The headers with which a client describes the message. Session headers belong to this side, so they are
 * left out.
 */
function mcpHeaders({ headers }: IncomingMessage): Record<string, string> {
  const own = new Set(['mcp-session-id', 'mcp-protocol-version'])
  const given: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith('mcp-') && !own.has(name) && typeof value === 'string') given[name] = value
  }
  return given
}

function refuse(response: ServerResponse, status: number, message: string, code = -32_000): void {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  response.writeHead(status, status === 405 ? { ...headers, Allow: 'POST, GET, DELETE' } : headers)
  response.end(errorText(null, { code, message }))
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE' || error.code === 'EACCES'
      const problem = `bridge: port ${port} is in use or reserved; omit \`port\`, or free the port.`
      reject(isTaken ? new ConfigurationError('bridge.port', problem) : error)
    }
    server.once('error', onError)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', onError)
      resolve()
    })
  })
}

async function closeAll(server: Server, sessions: LocalSessions, uplink: Uplink): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  await within(closeLimitMs, sessions.close())
  server.closeAllConnections()
  await within(closeLimitMs, uplink.close())
  await closed
}
