/**
 * An MCP server in this process, for tests.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { type Answer, checkCount, listen, type TestRequest } from './http.ts'

/** Whether a request is let in, and with which scopes, separated by spaces. */
type Acceptance = boolean | { readonly scope: string }

/** An MCP server that listens on this machine, and does as a test says. */
export interface TestMcpServer {
  /** The MCP endpoint. */
  readonly url: URL
  /** Every request that was received, on any path, in the order of arrival. */
  readonly requests: readonly TestRequest[]
  /**
   * Refuses the next requests to the MCP endpoint, whatever credential they carry.
   *
   * @param count - How many; `Infinity` for all, 0 to end what was ordered before.
   * @param status - The HTTP status. Default 401.
   */
  refuse(count: number, status?: number): void
  /**
   * Answers 403 with `insufficient_scope` from now on, unless the credential has these scopes, separated by
   * spaces. An empty text ends it.
   *
   * @see RFC 6750, section 3.1
   */
  requireScope(scope: string): void
  /** Refuses every credential that it has accepted so far with 401, from now on. */
  expireTokens(): void
  /** Ends all connections. */
  close(): Promise<void>
}

/**
 * Starts an MCP server over Streamable HTTP on a free port of this machine. It keeps no sessions, and has
 * one tool, `echo`, which returns its argument `text`.
 *
 * @param options.bearer - The bearer token that is let in.
 * @param options.apiKey - The value of `X-API-Key` that is let in.
 * @param options.accept - Decides by the headers, in place of `bearer` and `apiKey`; `{ scope }` lets a
 * request in with these scopes. Default, with none of the three: every request is let in.
 * @param options.authorizationServers - The issuers that the server names in its metadata (RFC 9728).
 * Default: it has no metadata.
 * @throws `ConfigurationError` when an option is unknown, or more than one of them says who is let in.
 *
 * @example
 * ```ts
 * import { authorizedFetch, bearer } from 'mcp-credentials'
 * import { testMcpServer } from 'mcp-credentials/testing'
 *
 * const server = await testMcpServer({ bearer: 'token-1' })
 * const fetch = authorizedFetch(bearer('token-1'), { resource: server.url })
 * server.refuse(1)
 * const response = await fetch(server.url, { method: 'POST', body: '{}' })
 * console.log(response.status, server.requests.length) // 400, since {} is no JSON-RPC, after 2 requests
 * await server.close()
 * ```
 */
export async function testMcpServer(
  options: {
    readonly bearer?: string
    readonly apiKey?: string
    readonly accept?: (headers: Headers) => boolean | { readonly scope: string }
    readonly authorizationServers?: readonly string[]
  } = {},
): Promise<TestMcpServer> {
  checkOptions('testMcpServer', options, ['bearer', 'apiKey', 'accept', 'authorizationServers'])
  const accept = acceptanceOf(options)
  const accepted = new Set<string>()
  const expired = new Set<string>()
  const refusals: { readonly status: number; left: number }[] = []
  let scope = ''
  const metadataPath = '/.well-known/oauth-protected-resource'
  let url = new URL('http://127.0.0.1/mcp')

  const challenge = (parameters: Readonly<Record<string, string>> = {}): string => {
    const own = options.authorizationServers && {
      resource_metadata: `${url.origin}${metadataPath}${url.pathname}`,
    }
    const all = Object.entries({ ...parameters, ...own })
    return `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`.trimEnd()
  }
  const refuse = (status: number, header?: string): Answer => ({
    status,
    headers: header === undefined ? {} : { 'www-authenticate': header },
    body: { error: 'refused' },
  })
  const guard = (headers: Headers): Answer | undefined => {
    const ordered = refusals.find(({ left }) => left > 0)
    if (ordered !== undefined) {
      ordered.left -= 1
      return refuse(ordered.status, ordered.status === 401 ? challenge() : undefined)
    }
    const credential = credentialOf(headers)
    const verdict = !expired.has(credential) && accept(headers)
    if (verdict === false) return refuse(401, challenge())
    const granted = typeof verdict === 'object' ? verdict.scope.split(' ') : []
    if (scope !== '' && !scope.split(' ').every((one) => granted.includes(one))) {
      return refuse(403, challenge({ error: 'insufficient_scope', scope }))
    }
    accepted.add(credential)
    return undefined
  }
  const { origin, requests, close } = await listen((request) => {
    const { pathname } = request.url
    const { authorizationServers } = options
    if (authorizationServers !== undefined && pathname.startsWith(metadataPath)) {
      return { body: { resource: url.href, authorization_servers: authorizationServers } }
    }
    if (pathname !== url.pathname) return { status: 404 }
    return guard(request.headers) ?? answerMcp(request)
  })
  url = new URL('/mcp', origin)
  return {
    url,
    requests,
    refuse(count, status = 401) {
      checkCount('refuse', count)
      if (count === 0) refusals.length = 0
      else refusals.push({ status, left: count })
    },
    requireScope(wanted) {
      scope = wanted
    },
    expireTokens() {
      for (const credential of accepted) expired.add(credential)
    },
    close,
  }
}

function acceptanceOf(options: {
  readonly bearer?: string
  readonly apiKey?: string
  readonly accept?: (headers: Headers) => Acceptance
}): (headers: Headers) => Acceptance {
  const { bearer, apiKey, accept } = options
  if ([bearer, apiKey, accept].filter((option) => option !== undefined).length > 1) {
    throw new ConfigurationError(
      'testMcpServer.accept',
      'testMcpServer: pass one of `bearer`, `apiKey` and `accept`.',
    )
  }
  if (bearer !== undefined) return (headers) => headers.get('Authorization') === `Bearer ${bearer}`
  if (apiKey !== undefined) return (headers) => headers.get('X-API-Key') === apiKey
  return accept ?? (() => true)
}

/** What may be a credential among the headers. */
function credentialOf(headers: Headers): string {
  const parts: string[] = []
  headers.forEach((value, name) => {
    if (/^(?:authorization|cookie|x-.*)$/.test(name)) parts.push(`${name}: ${value}`)
  })
  return parts.join('\n')
}

type Message = Readonly<Record<string, unknown>>

/** Answers as a server without sessions may: each request with JSON, a notification with 202. */
function answerMcp({ method, body }: TestRequest): Answer {
  if (method !== 'POST') return { status: 405, headers: { allow: 'POST' } }
  const messages = parse(body)
  if (messages === undefined) {
    const error = { code: -32700, message: 'The body is no JSON-RPC message.' }
    return { status: 400, body: { jsonrpc: '2.0', id: null, error } }
  }
  const answers = messages.filter(({ id }) => id !== undefined).map(answerOne)
  if (answers.length === 0) return { status: 202 }
  return { body: answers.length === 1 ? answers[0] : answers }
}

function parse(body: string): readonly Message[] | undefined {
  try {
    const value: unknown = JSON.parse(body)
    const messages: unknown[] = Array.isArray(value) ? value : [value]
    const areMessages = messages.every((one) => (one as Message | null)?.['jsonrpc'] === '2.0')
    return areMessages ? (messages as Message[]) : undefined
  } catch {
    return undefined
  }
}

function answerOne({ id, method, params }: Message): unknown {
  const result = resultOf(String(method), (params ?? {}) as Message)
  if (result !== undefined) return { jsonrpc: '2.0', id, result }
  const error = { code: -32601, message: 'There is no such method.' }
  return { jsonrpc: '2.0', id, error }
}

function resultOf(method: string, params: Message): unknown {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: params['protocolVersion'] ?? '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'test', version: '1.0.0' },
      }
    case 'ping':
      return {}
    case 'tools/list':
      return { tools: [echo] }
    case 'tools/call': {
      const given = params['arguments'] as Message | undefined
      if (params['name'] !== echo.name) return undefined
      return { content: [{ type: 'text', text: String(given?.['text'] ?? '') }] }
    }
    default:
      return undefined
  }
}

const echo = {
  name: 'echo',
  description: 'Returns the text it was given',
  inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
}
