/**
 * Headers that repeat parts of a message, so that intermediaries need not parse it (MCP 2026-07-28,
 * Streamable HTTP, Request Headers).
 *
 * @module
 */
import {
  isObject,
  type JsonObject,
  type Message,
  type Part,
  type RequestPart,
  revisionOf,
} from './message.ts'

// The member of `params` that `Mcp-Name` repeats.
const nameMembers: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])

const maxTools = 10_000
/** The most levels of a schema: deeper ones could overflow the stack. */
const maxDepth = 64
/** Values that a header can contain without encoding. */
const plainValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** A tool argument that is repeated in a header. */
interface HeaderArgument {
  readonly header: string
  readonly path: readonly string[]
}

/** Derives the headers of messages. */
export interface DerivedHeaders {
  /**
   * Returns the headers for a message of a stateless client, with names in lower case; none for other
   * clients.
   */
  of(message: Message): Record<string, string>
  /** Records from the response to `tools/list` which arguments the tools require in headers. */
  learn(request: RequestPart | undefined, answer: Part): void
}

/** Creates {@link DerivedHeaders} without tools. */
export function derivedHeaders(): DerivedHeaders {
  const tools = new Map<string, readonly HeaderArgument[]>()
  return {
    of(message) {
      const [part] = message.parts
      if (part === undefined || !('method' in part) || revisionOf(message) === undefined) return {}
      const { method } = part
      const headers: Record<string, string> = plainValue.test(method)
        ? { 'mcp-method': method }
        : {}
      const name = part.params[nameMembers.get(part.method) ?? '']
      if (typeof name === 'string') headers['mcp-name'] = encodeValue(name)
      const argumentsOfTool = part.method === 'tools/call' ? tools.get(String(name)) : undefined
      for (const { header, path } of argumentsOfTool ?? []) {
        const value = textOf(valueAt(part.params['arguments'], path))
        if (value !== undefined) headers[`mcp-param-${header.toLowerCase()}`] = encodeValue(value)
      }
      return headers
    },
    learn(request, answer) {
      if (request?.method !== 'tools/list' || answer.kind !== 'response') return
      const listed = answer.result?.['tools']
      for (const tool of Array.isArray(listed) ? listed : []) {
        if (!isObject(tool) || typeof tool['name'] !== 'string') continue
        const wanted = headerArguments(tool['inputSchema'], [])
        if (wanted.length === 0) tools.delete(tool['name'])
        else if (tools.size < maxTools) tools.set(tool['name'], wanted)
      }
    },
  }
}

/** Finds `x-mcp-header` within `properties`, the only place where it has a meaning. */
function headerArguments(schema: unknown, path: readonly string[]): readonly HeaderArgument[] {
  if (!isObject(schema) || path.length > maxDepth) return []
  const header = schema['x-mcp-header']
  const own =
    typeof header === 'string' && fieldName.test(header) && path.length > 0
      ? [{ header, path }]
      : []
  const { properties } = schema
  if (!isObject(properties)) return own
  const inner = Object.entries(properties).flatMap(([name, property]) =>
    headerArguments(property, [...path, name]),
  )
  return [...own, ...inner]
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, name) => (isObject(value) ? (value as JsonObject)[name] : undefined),
    root,
  )
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return String(value)
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value)
}

/** Encodes other values as Base64 of their UTF-8, with the marker of the specification. */
function encodeValue(value: string): string {
  const isMark = value.startsWith('=?base64?') && value.endsWith('?=')
  if (plainValue.test(value) && !isMark) return value
  return `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`
}
