/**
 * JSON-RPC messages as the bridge sees them: a text that goes on as it is, and the few members that decide where to.
 *
 * @module
 */

/** The identifier of a request (JSON-RPC 2.0, section 4). */
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
      /** `undefined`: the sender could not tell which request it answers. */
      readonly id: RequestId | undefined
      readonly result: JsonObject | undefined
      readonly error: unknown
    }
  | { readonly kind: 'unknown' }

/** A request of a {@link Message}. */
export type RequestPart = Extract<Part, { kind: 'request' }>

/** What is passed on at once. */
export interface Message {
  /** The JSON text, without line breaks. */
  readonly text: string
  readonly parts: readonly Part[]
}

// From this revision on requests say for themselves which revision they follow (MCP 2026-07-28, Basic Protocol).
const revisionMember = 'io.modelcontextprotocol/protocolVersion'
const capabilitiesMember = 'io.modelcontextprotocol/clientCapabilities'

/** The largest number of values in a message: a value takes a hundred times the memory of its text. */
export const maxMessageValues = 1_000_000

/** A message is longer than the bridge takes. */
export class MessageTooLongError extends Error {
  override readonly name = 'MessageTooLongError'
  /** What is too much, such as `is longer than 64 MB`. */
  readonly problem: string

  constructor(problem: string) {
    super(`A message ${problem}.`)
    this.problem = problem
  }
}

/**
 * Reads a JSON text; `undefined`: it is none.
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

/** Reads what a client wrote, as {@link parseMessage} does; a text says why it is no message. */
export function parseClientMessage(text: string): Message | 'too long' | 'no JSON' {
  try {
    return parseMessage(text) ?? 'no JSON'
  } catch (error) {
    if (error instanceof MessageTooLongError) return 'too long'
    throw error
  }
}

/** Counts what separates the values of a JSON text; each is a character, so that a short text is not looked at. */
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

/** Where the text within a JSON text ends that begins at a place. */
function endOfText(text: string, start: number): number {
  for (let end = start + 1; end < text.length; end += 1) {
    const sign = text.charCodeAt(end)
    if (sign === signs.quote) return end
    if (sign === signs.backslash) end += 1
  }
  return text.length
}

/** A line break of a JSON text stands between its tokens, where a space means the same. */
function onOneLine(text: string): string {
  const trimmed = text.trim()
  return /[\r\n]/.test(trimmed) ? trimmed.replace(/[\r\n]+/g, ' ') : trimmed
}

/** One for all, since a batch may have a million. */
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

/** A key for tables of requests: 1 and "1" are two identifiers. */
export function keyOf(id: RequestId): string {
  return `${typeof id} ${id}`
}

/** Whether an identifier is the number that was written: beyond 2^53, two integers may be one. */
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

/** The protocol revision that a message of a stateless client names (MCP 2026-07-28). */
export function revisionOf(message: Message): string | undefined {
  const revision = metaOf(message)[revisionMember]
  return typeof revision === 'string' ? revision : undefined
}

/** What a stateless client says with a message that it can do (MCP 2026-07-28). */
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

/** The protocol version on which a server agrees in its answer to `initialize`, whatever it wrote there. */
export function agreedRevisionOf(answer: Part): string | undefined {
  const revision = answer.kind === 'response' ? answer.result?.['protocolVersion'] : undefined
  return typeof revision === 'string' ? revision : undefined
}

/** Whether a protocol version is the date that it has to be (MCP 2025-11-25, Versioning). */
export function isRevision(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text)
}

/** The request that a `notifications/cancelled` gives up. */
export function cancelledRequestOf({ parts: [part] }: Message): RequestId | undefined {
  if (part?.kind !== 'notification' || part.method !== 'notifications/cancelled') return undefined
  const { requestId } = part.params
  return isRequestId(requestId) ? requestId : undefined
}

/** Makes the text of an error response. */
export function errorText(
  id: RequestId | null,
  error: { readonly code: number; readonly message: string; readonly data?: JsonObject },
): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error })
}

/** Makes the text of a notification. */
export function notificationText(method: string, params?: JsonObject): string {
  return JSON.stringify(params ? { jsonrpc: '2.0', method, params } : { jsonrpc: '2.0', method })
}
