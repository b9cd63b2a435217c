/**
 * The messages of the protocol, as far as an examination needs them.
 *
 * @module
 */
import { type Reply, typeOf } from './ask.ts'
import { eventsIn } from './event-stream.ts'
import type { Conversation } from './seen.ts'

type Members = Readonly<Record<string, unknown>>

/** Which transport a server speaks; `unknown`: it refuses before that can be seen. */
export type Transport = 'streamable-http' | 'sse' | 'unknown' | 'none'

const version = '2025-11-25'
const accept = 'application/json, text/event-stream'

/** The request that opens a conversation. */
export const initialize: RequestInit = message({
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: version,
    capabilities: {},
    clientInfo: { name: 'mcp-credentials doctor', version: '1.0.0' },
  },
})

/** The request for an event stream. */
export const openStream: RequestInit = {
  method: 'GET',
  headers: { Accept: 'text/event-stream' },
}

/** The requests that follow in the same session. */
export function inSession(reply: Reply): {
  readonly initialized: RequestInit
  readonly listTools: RequestInit
  /** Ends the session; absent: the server has none. */
  readonly end?: RequestInit
} {
  const session = reply.headers.get('mcp-session-id')
  const headers = {
    'MCP-Protocol-Version': serverOf(reply)?.protocolVersion ?? version,
    ...(session === null ? {} : { 'Mcp-Session-Id': session }),
  }
  return {
    initialized: message({ method: 'notifications/initialized' }, headers),
    listTools: message({ id: 2, method: 'tools/list' }, headers),
    ...(session === null ? {} : { end: { method: 'DELETE', headers } }),
  }
}

function message(body: Members, headers: Readonly<Record<string, string>> = {}): RequestInit {
  return {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: accept, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...body }),
  }
}

/** The JSON-RPC response in an answer; `undefined`: there is none. */
export function rpcOf({ headers, body }: Reply): Members | undefined {
  const isStream = typeOf(headers) === 'text/event-stream'
  const texts = isStream ? eventsIn(body).map(({ data }) => data) : [body]
  return texts.map(objectOf).find((value) => {
    // A stream may carry notifications before the answer.
    const isAnswer = value !== undefined && ('result' in value || 'error' in value)
    return isAnswer && value['jsonrpc'] === '2.0'
  })
}

/** The object that a text of JSON holds. */
export function objectOf(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Members) : undefined
  } catch {
    return undefined
  }
}

/** What a server says of itself in its answer to `initialize`. */
export interface ServerWords {
  readonly name: unknown
  readonly version: unknown
  readonly protocolVersion: string | undefined
  readonly extensions: readonly string[]
}

/** What a server says of itself; `undefined`: it did not answer `initialize`. */
export function serverOf(reply: Reply): ServerWords | undefined {
  const result = membersOf(rpcOf(reply)?.['result'])
  if (result === undefined) return undefined
  const { protocolVersion } = result
  const server = membersOf(result['serverInfo'])
  const extensions = membersOf(membersOf(result['capabilities'])?.['extensions'])
  const isVersion = typeof protocolVersion === 'string' && /^[\w.-]{1,40}$/.test(protocolVersion)
  return {
    name: server?.['name'],
    version: server?.['version'],
    protocolVersion: isVersion ? protocolVersion : undefined,
    extensions: Object.keys(extensions ?? {}),
  }
}

function membersOf(value: unknown): Members | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Members) : undefined
}

/** The versions of the protocol that a server lists when it does not know the one of the request. */
export function versionsIn(reply: Reply): readonly string[] {
  const supported = membersOf(membersOf(rpcOf(reply)?.['error'])?.['data'])?.['supported']
  if (!Array.isArray(supported)) return []
  return supported.filter((each) => typeof each === 'string' && /^[\w.-]{1,40}$/.test(each))
}

/** Whether an answer opens an event stream of the older transport. */
export function isEventStream({ status, headers }: Reply): boolean {
  return status === 200 && typeOf(headers) === 'text/event-stream'
}

/** The transport that a client should try first. */
export function transportToUse(
  conversation: Pick<Conversation, 'post' | 'get'>,
  { pathname }: URL,
): 'streamable-http' | 'sse' {
  const transport = transportOf(conversation)
  const isNamedSo = transport === 'unknown' && /\/sse\/?$/.test(pathname)
  return transport === 'sse' || isNamedSo ? 'sse' : 'streamable-http'
}

/** Which transport the answers show. */
export function transportOf({ post, get }: Pick<Conversation, 'post' | 'get'>): Transport {
  if (post.kind === 'reply' && rpcOf(post) !== undefined) return 'streamable-http'
  if (post.kind === 'reply' && post.status === 202) return 'streamable-http'
  if (get?.kind === 'reply' && isEventStream(get)) return 'sse'
  const statuses = [post, get].flatMap((one) => (one?.kind === 'reply' ? [one.status] : []))
  return statuses.some((status) => status === 401 || status === 403) ? 'unknown' : 'none'
}
