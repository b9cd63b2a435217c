/**
 * An MCP server in this process, for tests.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { type Answer, checkCount, listen, type TestRequest } from './http.ts'
import { ScriptedAnswers } from './scripted-answers.ts'

const endpointPath = '/mcp'
const metadataPath = '/.well-known/oauth-protected-resource'

/** Whether a request is accepted, and with which scopes, separated by spaces. */
type Acceptance = boolean | { readonly scope: string }

/**
 * An MCP server on this machine that a test controls.
 *
 * @group Servers
 */
export interface TestMcpServer {
  /** The MCP endpoint. */
  readonly url: URL
  /** Every request that was received, on any path, in the order of arrival. */
  readonly requests: readonly TestRequest[]
  /**
   * Refuses the next requests to the MCP endpoint, whatever credential they carry.
   *
   * @param count - How many; `Infinity` for all, 0 to cancel earlier calls.
   * @param status - The HTTP status. Default 401.
   */
  refuse(count: number, status?: number): void
  /**
   * Answers 403 with `insufficient_scope` from now on, unless the credential has these scopes, separated by
   * spaces. An empty text removes the requirement.
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
 * @param options.bearer - The bearer token that is accepted.
 * @param options.apiKey - The value of `X-API-Key` that is accepted.
 * @param options.accept - Decides by the headers, in place of `bearer` and `apiKey`; `{ scope }` accepts a
 * request with these scopes. Default, with none of the three: every request is accepted.
 * @param options.authorizationServers - The issuers that the server names in its metadata (RFC 9728).
 * Default: it has no metadata.
 * @throws `ConfigurationError` when an option is unknown, or more than one of `bearer`, `apiKey` and `accept`
 * is given.
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
 * @group Servers
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
  const { authorizationServers } = options
  const challenge = options.apiKey === undefined ? 'Bearer' : keyChallenge
  const access = new AccessControl(
    acceptanceOf(options),
    authorizationServers !== undefined,
    challenge,
  )
  const { origin, requests, close } = await listen((request) => {
    const { pathname, origin } = request.url
    if (authorizationServers !== undefined && pathname.startsWith(metadataPath)) {
      const resource = new URL(endpointPath, origin).href
      return { body: { resource, authorization_servers: authorizationServers } }
    }
    if (pathname !== endpointPath) return { status: 404 }
    return access.check(request) ?? answerMcp(request)
  })
  return {
    url: new URL(endpointPath, origin),
    requests,
    refuse(count, status = 401) {
      checkCount('refuse', count)
      access.refuse(count, status)
    },
    requireScope: (scope) => access.requireScope(scope),
    expireTokens: () => access.expire(),
    close,
  }
}

/** No scheme for keys is registered; this one names the header, as the documentation of servers with keys does. */
const keyChallenge = 'ApiKey header="X-API-Key"'

/** Which requests to the MCP endpoint are let in. */
class AccessControl {
  readonly #accept: (headers: Headers) => Acceptance
  readonly #hasMetadata: boolean
  /** The challenge where nothing else is to be said. */
  readonly #plainChallenge: string
  readonly #accepted = new Set<string>()
  readonly #expired = new Set<string>()
  readonly #refusals = new ScriptedAnswers<number>()
  #requiredScope = ''

  constructor(accept: (headers: Headers) => Acceptance, hasMetadata: boolean, challenge: string) {
    this.#accept = accept
    this.#hasMetadata = hasMetadata
    this.#plainChallenge = challenge
  }

  refuse(count: number, status: number): void {
    this.#refusals.addRefusals(status, count)
  }

  requireScope(scope: string): void {
    this.#requiredScope = scope
  }

  /** Refuses all credentials that were accepted so far. */
  expire(): void {
    for (const credential of this.#accepted) this.#expired.add(credential)
  }

  /** The response to a request that is refused; `undefined`: it is accepted. */
  check({ headers, url }: TestRequest): Answer | undefined {
    const status = this.#refusals.next()
    if (status !== undefined) {
      return refusal(status, status === 401 ? this.#challenge(url) : undefined)
    }
    const credential = credentialOf(headers)
    const verdict = !this.#expired.has(credential) && this.#accept(headers)
    if (verdict === false) return refusal(401, this.#challenge(url))
    const granted = typeof verdict === 'object' ? verdict.scope.split(' ') : []
    const scope = this.#requiredScope
    if (scope !== '' && !scope.split(' ').every((one) => granted.includes(one))) {
      return refusal(403, this.#challenge(url, { error: 'insufficient_scope', scope }))
    }
    this.#accepted.add(credential)
    return undefined
  }

  #challenge({ origin }: URL, parameters: Readonly<Record<string, string>> = {}): string {
    const metadata = { resource_metadata: `${origin}${metadataPath}${endpointPath}` }
    const all = Object.entries({ ...parameters, ...(this.#hasMetadata ? metadata : {}) })
    if (all.length === 0) return this.#plainChallenge
    return `Bearer ${all.map(([name, value]) => `${name}="${value}"`).join(', ')}`
  }
}

function refusal(status: number, challenge?: string): Answer {
  return {
    status,
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
    body: { error: 'refused' },
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

/** The headers that may carry a credential. */
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
    const error = { code: -32700, message: 'The body is not a JSON-RPC message.' }
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
