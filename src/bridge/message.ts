/**
 * JSON-RPC messages: the unchanged text, and the members by which the bridge routes it.
 *
 * @module
 */

/** The ID of a request (JSON-RPC 2.0, section 4). */
export type RequestId = string | number

/** The members of a JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>

/** One message; a batch (MCP 2025-03-26) has several. */
export type Part =
  | {
      readonly kind: 'request'
      readonly id: RequestId
      readonly method: string
      readonly params: JsonObject
    }
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonObject }
  | {
      readonly kind: 'response'
      /** `undefined`: the sender did not know which request it answers. */
      readonly id: RequestId | undefined
      readonly result: JsonObject | undefined
      readonly error: unknown
    }
  | { readonly kind: 'unknown' }

/** A request of a {@link Message}. */
export type RequestPart = Extract<Part, { kind: 'request' }>

/** A message or a batch. */
export interface Message {
  /** The JSON text, without line breaks. */
  readonly text: string
  readonly parts: readonly Part[]
}

// From this revision on, requests contain their revision (MCP 2026-07-28, Basic Protocol).
const revisionMember = 'io.modelcontextprotocol/protocolVersion'
const capabilitiesMember = 'io.modelcontextprotocol/clientCapabilities'

/** The most values in a message: a value takes a hundred times the memory of its text. */
export const maxMessageValues = 1_000_000

/** A message exceeds the limits of the bridge. */
export class MessageTooLongError extends Error {
  override readonly name = 'MessageTooLongError'
  /** The limit that it exceeds, such as `is longer than 64 MB`. */
  readonly problem: string

  constructor(problem: string) {
    super(`A message ${problem}.`)
    this.problem = problem
  }
}

/**
 * Parses a JSON text; `undefined`: it is not JSON.
 *
 * @throws {@link MessageTooLongError} when it has more than a million values.
 */
export function parseMessage(text: string): Message | undefined {
  if (hasTooManyValues(text)) throw new MessageTooLongError('has more than a million values')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const parts = Array.isArray(value) ? value.map(partOf) : [partOf(value)]
  return { text: onOneLine(text), parts }
}

/** Parses a message of a client, as {@link parseMessage}; a string states the problem. */
export function parseClientMessage(text: string): Message | 'too long' | 'no JSON' {
  try {
    return parseMessage(text) ?? 'no JSON'
  } catch (error) {
    if (error instanceof MessageTooLongError) return 'too long'
    throw error
  }
}

/** Counts the separators of a JSON text; a text with fewer characters than the limit is not scanned. */
function hasTooManyValues(text: string): boolean {
  let left = maxMessageValues
  if (text.length <= left) return false
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charCodeAt(at)
    if (sign === signs.quote) at = endOfText(text, at)
    else if (sign === signs.comma || sign === signs.bracket || sign === signs.brace) {
      left -= 1
      if (left < 0) return true
    }
  }
  return false
}

const signs = { quote: 0x22, comma: 0x2c, bracket: 0x5b, backslash: 0x5c, brace: 0x7b } as const

/** The end of a string literal within a JSON text. */
function endOfText(text: string, start: number): number {
  for (let end = start + 1; end < text.length; end += 1) {
    const sign = text.charCodeAt(end)
    if (sign === signs.quote) return end
    if (sign === signs.backslash) end += 1
  }
  return text.length
}

/** Replaces line breaks by spaces; within JSON both only separate tokens. */
function onOneLine(text: string): string {
  const trimmed = text.trim()
  return /[\r\n]/.test(trimmed) ? trimmed.replace(/[\r\n]+/g, ' ') : trimmed
}

/** A shared object, because a batch may have a million parts. */
const unknownPart: Part = { kind: 'unknown' }

function partOf(value: unknown): Part {
  if (!isObject(value)) return unknownPart
  const { id, method, params, result, error } = value
  const given = isObject(params) ? params : {}
  if (typeof method === 'string') {
    if (isRequestId(id)) return { kind: 'request', id, method, params: given }
    return { kind: 'notification', method, params: given }
  }
  if (result === undefined && error === undefined) return unknownPart
  return {
    kind: 'response',
    id: isRequestId(id) ? id : undefined,
    result: isObject(result) ? result : undefined,
    error,
  }
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || typeof value === 'number'
}

/** A key for tables of requests: 1 and "1" are different IDs. */
export function keyOf(id: RequestId): string {
  return `${typeof id} ${id}`
}

/** Whether an ID was parsed without loss: beyond 2^53, different integers may become equal. */
export function isExactId(id: RequestId): boolean {
  return typeof id === 'string' || !Number.isInteger(id) || Number.isSafeInteger(id)
}

/** The requests of a message. */
export function requestsOf({ parts }: Message): readonly RequestPart[] {
  return parts.filter((part) => part.kind === 'request')
}

/** The `initialize` request, if the message is one. */
export function initializeOf({ parts }: Message): RequestPart | undefined {
  const [part] = parts
  return part?.kind === 'request' && part.method === 'initialize' ? part : undefined
}

/** The protocol revision in a message of a stateless client (MCP 2026-07-28). */
export function revisionOf(message: Message): string | undefined {
  const revision = metaOf(message)[revisionMember]
  return typeof revision === 'string' ? revision : undefined
}

/** The capabilities in a message of a stateless client (MCP 2026-07-28). */
export function declaredCapabilitiesOf(message: Message): unknown {
  return metaOf(message)[capabilitiesMember]
}

function metaOf({ parts: [part] }: Message): JsonObject {
  const meta = part !== undefined && 'params' in part ? part.params['_meta'] : undefined
  return isObject(meta) ? meta : {}
}

/** Whether a client with these capabilities shows URLs to its user (MCP 2025-11-25, Elicitation, URL mode). */
export function showsUrls(capabilities: unknown): boolean {
  const elicitation = isObject(capabilities) ? capabilities['elicitation'] : undefined
  return isObject(elicitation) && isObject(elicitation['url'])
}

/** The protocol version in a response to `initialize`, which may be invalid. */
export function agreedRevisionOf(answer: Part): string | undefined {
  const revision = answer.kind === 'response' ? answer.result?.['protocolVersion'] : undefined
  return typeof revision === 'string' ? revision : undefined
}

/** Whether a protocol version is a date (MCP 2025-11-25, Versioning). */
export function isRevision(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text)
}

/** The request that a `notifications/cancelled` cancels. */
export function cancelledRequestOf({ parts: [part] }: Message): RequestId | undefined {
  if (part?.kind !== 'notification' || part.method !== 'notifications/cancelled') return undefined
  const { requestId } = part.params
  return isRequestId(requestId) ? requestId : undefined
}

/** Creates the text of an error response. */
export function errorText(
  id: RequestId | null,
  error: { readonly code: number; readonly message: string; readonly data?: JsonObject },
): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error })
}

/** Creates the text of a notification. */
export function notificationText(method: string, params?: JsonObject): string {
  return JSON.stringify(params ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method })
}
