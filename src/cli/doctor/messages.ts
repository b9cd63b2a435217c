/**
 * The protocol messages that an examination needs.
 *
 * @module
 */

import { eventsIn } from './event-stream.ts'
import type { Conversation } from './observations.ts'
import { type ReceivedResponse, typeOf } from './requests.ts'

type Members = Readonly<Record<string, unknown>>

/** The transport of a server; `unknown`: the server refuses before its transport is known. */
export type Transport = 'streamable-http' | 'sse' | 'unknown' | 'none'

const version = '2025-11-25'
const accept = 'application/json, text/event-stream'

/** The request that opens a session. */
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

/** The following requests of the same session. */
export function inSession(reply: ReceivedResponse): {
  readonly initialized: RequestInit
  readonly listTools: RequestInit
  /** Ends the session; absent: the server uses no sessions. */
  readonly end?: RequestInit
} {
  const session = reply.headers.get('mcp-session-id')
  const headers = {
    'MCP-Protocol-Version': serverDescriptionOf(reply)?.protocolVersion ?? version,
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

/** The JSON-RPC response in an HTTP response; `undefined`: there is none. */
export function rpcOf({ headers, body }: ReceivedResponse): Members | undefined {
  const isStream = typeOf(headers) === 'text/event-stream'
  const texts = isStream ? eventsIn(body).map(({ data }) => data) : [body]
  return texts.map(objectOf).find((value) => {
    // A stream may contain notifications before the response.
    const isAnswer = value !== undefined && ('result' in value || 'error' in value)
    return isAnswer && value['jsonrpc'] === '2.0'
  })
}

/** Parses a JSON object; `undefined`: the text is not one. */
export function objectOf(text: string): Members | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Members) : undefined
  } catch {
    return undefined
  }
}

/** How a server describes itself in its response to `initialize`. */
export interface ServerDescription {
  readonly name: unknown
  readonly version: unknown
  readonly protocolVersion: string | undefined
  readonly extensions: readonly string[]
}

/** Reads how a server describes itself; `undefined`: the response is not a result of `initialize`. */
export function serverDescriptionOf(reply: ReceivedResponse): ServerDescription | undefined {
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

/** The protocol versions that a server lists when it does not support the requested one. */
export function versionsIn(reply: ReceivedResponse): readonly string[] {
  const supported = membersOf(membersOf(rpcOf(reply)?.['error'])?.['data'])?.['supported']
  if (!Array.isArray(supported)) return []
  return supported.filter((each) => typeof each === 'string' && /^[\w.-]{1,40}$/.test(each))
}

/** Whether a response is an event stream of the older transport. */
export function isEventStream({ status, headers }: ReceivedResponse): boolean {
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

/** The transport that the responses indicate. */
export function transportOf({ post, get }: Pick<Conversation, 'post' | 'get'>): Transport {
  if (post.kind === 'response' && rpcOf(post) !== undefined) return 'streamable-http'
  if (post.kind === 'response' && post.status === 202) return 'streamable-http'
  if (get?.kind === 'response' && isEventStream(get)) return 'sse'
  const statuses = [post, get].flatMap((one) => (one?.kind === 'response' ? [one.status] : []))
  return statuses.some((status) => status === 401 || status === 403) ? 'unknown' : 'none'
}
