/**
 * Headers that repeat parts of a message, so that whatever stands between client and server need not read it
 * (MCP 2026-07-28, Streamable HTTP, Request Headers).
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
/** Servers could nest a schema more deeply than a function can follow. */
const maxDepth = 64
/** What a header can carry as it is. */
const plainValue = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** An argument of a tool that is repeated in a header. */
interface HeaderArgument {
  readonly header: string
  readonly path: readonly string[]
}

/** Knows which headers go with a message. */
export interface DerivedHeaders {
  /** The headers for a message of a stateless client, by names in lower case; none for others. */
  of(message: Message): Record<string, string>
  /** Learns from the answer to `tools/list` which arguments the tools want in headers. */
  learn(request: RequestPart | undefined, answer: Part): void
}

/** Makes a {@link DerivedHeaders} that has learnt nothing yet. */
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

/** Finds `x-mcp-header` along `properties`, the only place where it means something. */
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

/** What a header cannot carry as it is goes as Base64 of its UTF-8, in the mark that the specification names. */
function encodeValue(value: string): string {
  const isMark = value.startsWith('=?base64?') && value.endsWith('?=')
  if (plainValue.test(value) && !isMark) return value
  return `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`
}
