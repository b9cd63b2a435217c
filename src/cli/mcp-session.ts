/**
 * A short MCP session, to test a server.
 *
 * @module
 */
import { CredentialError, type CredentialErrorOptions, type FetchLike } from '../index.ts'
import { commandWord, labelOf, shown } from './labels.ts'
import { initializeRequest, rpcRequest } from './mcp-request.ts'
import type { Server } from './server.ts'
import { errorCode, unreachableError } from './unreachable.ts'

/** How a server describes itself. All texts are untrusted. */
export interface SessionReport {
  readonly name: string | undefined
  readonly version: string | undefined
  readonly protocol: string | undefined
  /** The number of tools that it lists; `undefined`: it offers no tools, or the list failed. */
  readonly tools: number | undefined
  readonly transport: 'Streamable HTTP' | 'HTTP+SSE'
}

type Json = Readonly<Record<string, unknown>>

/**
 * Opens a session, lists the tools and closes it.
 *
 * @throws `CredentialError` with a remedy.
 */
export async function openSession(
  server: Server,
  send: FetchLike,
  signal: AbortSignal,
): Promise<SessionReport> {
  const response = await reach(server, () => send(server.url, { ...initializeRequest(), signal }))
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel()
    throw redirected(server, response)
  }
  if ([400, 404, 405].includes(response.status)) {
    refuseOtherVersions(server, parsed(await boundedText(server, response)))
    return olderSession(server, send, response.status, signal)
  }
  const result = await resultOf(server, response)
  const info = (result['serverInfo'] ?? {}) as Json
  const protocol = textOf(result['protocolVersion'])
  const session = response.headers.get('mcp-session-id')
  const headers = {
    ...(session === null ? {} : { 'Mcp-Session-Id': session }),
    ...(protocol === undefined ? {} : { 'MCP-Protocol-Version': protocol }),
  }
  const tools = await toolCount(server, send, { headers, signal }, result).catch(() => undefined)
  if (session !== null) {
    const ended = await send(server.url, { method: 'DELETE', headers, signal }).catch(
      () => undefined,
    )
    await ended?.body?.cancel()
  }
  const { name, version } = info
  return {
    name: textOf(name),
    version: textOf(version),
    protocol,
    tools,
    transport: 'Streamable HTTP',
  }
}

/** A server that supports only newer versions lists them in its error. */
function refuseOtherVersions(server: Server, answer: Json | undefined): void {
  const { supported } = ((answer?.['error'] as Json | undefined)?.['data'] ?? {}) as Json
  const versions = Array.isArray(supported) ? supported.filter((each) => textOf(each)) : []
  if (versions.length === 0) return
  const known = shown(versions.slice(0, 8).join(', '))
  throw fail(
    server,
    'unsupported_server',
    `${server.label} supports only other protocol versions: ${known}.`,
    `Use a client that supports one of them. To see which credential the server requires, run \`${doctor(server)}\`.`,
  )
}

function doctor({ label }: Server): string {
  return `npx mcp-credentials doctor ${commandWord(label)}`
}

async function toolCount(
  server: Server,
  send: FetchLike,
  { headers, signal }: { readonly headers: Record<string, string>; readonly signal: AbortSignal },
  { capabilities }: Json,
): Promise<number | undefined> {
  if ((capabilities as Json | undefined)?.['tools'] === undefined) return undefined
  const begun = rpcRequest({ method: 'notifications/initialized' }, headers)
  const accepted = await send(server.url, { ...begun, signal })
  await accepted.body?.cancel()
  const request = rpcRequest({ id: 2, method: 'tools/list' }, headers)
  const { tools } = await resultOf(server, await send(server.url, { ...request, signal }))
  return Array.isArray(tools) ? tools.length : undefined
}

/**
 * A server with the older transport responds to GET with an event stream, and to the first POST with an
 * error.
 */
async function olderSession(
  server: Server,
  send: FetchLike,
  firstStatus: number,
  signal: AbortSignal,
): Promise<SessionReport> {
  const headers = { Accept: 'text/event-stream' }
  const response = await reach(server, () => send(server.url, { headers, signal }))
  await response.body?.cancel()
  const type = response.headers.get('content-type') ?? ''
  if (!response.ok || !type.startsWith('text/event-stream')) {
    const [refused] = [401, 403].filter((status) => status === response.status)
    throw refusal(server, refused ?? firstStatus)
  }
  const nothing = { name: undefined, version: undefined, protocol: undefined, tools: undefined }
  return { ...nothing, transport: 'HTTP+SSE' }
}

/**
 * Sends a request.
 *
 * @throws `CredentialError` with the code `network` when the server cannot be reached.
 */
export async function reach(server: Server, request: () => Promise<Response>): Promise<Response> {
  try {
    return await request()
  } catch (error) {
    if (!(error instanceof TypeError) || error.name !== 'TypeError') throw error
    throw unreachableError(server.url, errorCode(error))
  }
}

/** The result of a JSON-RPC response, which arrives as JSON or in an event stream. */
async function resultOf(server: Server, response: Response): Promise<Json> {
  if (!response.ok) {
    await response.body?.cancel()
    throw refusal(server, response.status)
  }
  const type = (response.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
  const answer =
    type === 'text/event-stream'
      ? await firstResponse(server, response)
      : parsed(await boundedText(server, response))
  if (answer === undefined) {
    throw fail(
      server,
      'unsupported_server',
      `${server.label} responds, but not as an MCP server.`,
      `Run \`${doctor(server)}\` to search for the correct path.`,
    )
  }
  if (answer['result'] !== undefined) return answer['result'] as Json
  const { code } = (answer['error'] ?? {}) as Json
  throw fail(
    server,
    'server_error',
    `${server.label} responds with the MCP error ${typeof code === 'number' ? code : 'without a code'}.`,
    "Contact the server's operator.",
  )
}

/** The most bytes of a response that are read. */
const maxResponseBytes = 16 * 1_048_576

async function firstResponse(server: Server, response: Response): Promise<Json | undefined> {
  const { createParser } = await import('eventsource-parser')
  let answer: Json | undefined
  const parser = createParser({
    onEvent({ data }) {
      const message = parsed(data)
      if (message !== undefined && ('result' in message || 'error' in message)) answer ??= message
    },
  })
  for await (const text of textsOf(server, response)) {
    parser.feed(text)
    if (answer !== undefined) break
  }
  return answer
}

async function boundedText(server: Server, response: Response): Promise<string> {
  let all = ''
  for await (const text of textsOf(server, response)) all += text
  return all
}

/** The chunks of a body. The body is cancelled when the consumer stops. */
async function* textsOf(server: Server, { body }: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const reader = body?.getReader()
  try {
    for (let size = 0; reader !== undefined; ) {
      const { done, value } = await reader.read()
      if (done) return
      size += value.byteLength
      if (size > maxResponseBytes) throw tooLarge(server)
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    reader?.cancel().catch(() => {})
  }
}

function tooLarge(server: Server): CredentialError {
  const problem = `${server.label} sent a response larger than 16 MB.`
  return fail(server, 'server_error', problem, "Contact the server's operator.")
}

function parsed(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isMessage = (value as Json | null)?.['jsonrpc'] === '2.0'
    return isMessage ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The error for the status of a response that refuses the request. */
export function refusal(server: Server, status: number): CredentialError {
  const { label } = server
  const say = `responds with status ${status}`
  if (status === 401 || status === 403) {
    const problem = `${label} refuses the credential (status ${status}).`
    return fail(
      server,
      'access_denied',
      problem,
      `Run \`npx mcp-credentials login ${commandWord(label)}\`, or \`set\` for a key.`,
      status,
    )
  }
  if (status >= 502 && status <= 504) {
    const problem = `${label}: A gateway responds, but the server behind it does not (status ${status}).`
    const remedy = "Try again later, or contact the server's operator."
    return fail(server, 'server_error', problem, remedy, status)
  }
  if (status >= 500 || status === 429) {
    return fail(server, 'server_error', `${label} ${say}.`, 'Try again later.', status)
  }
  const remedy = `Run \`${doctor(server)}\` to search for the correct path.`
  return fail(server, 'unsupported_server', `${label} ${say}.`, remedy, status)
}

/** The error for a redirect, which credentials must not follow. */
function redirected(server: Server, { status, headers }: Response): CredentialError {
  const location = headers.get('location') ?? ''
  const target = URL.canParse(location, server.url) ? new URL(location, server.url) : undefined
  const to = target === undefined ? '' : ` to ${labelOf(target)}`
  return fail(
    server,
    'redirect_refused',
    `${server.label} redirects (status ${status})${to}; credentials do not follow redirects.`,
    `Use the final URL of the MCP server. To find it, run \`${doctor(server)}\`.`,
    status,
  )
}

function fail(
  { url: resource }: Server,
  code: string,
  problem: string,
  remedy: string,
  status?: number,
): CredentialError {
  const options: CredentialErrorOptions = { resource, remedy }
  return new CredentialError(code, problem, status === undefined ? options : { ...options, status })
}
