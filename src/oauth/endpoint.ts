/**
 * Checks the servers that are contacted for OAuth, and limits their responses.
 *
 * Metadata comes from servers that are not verified yet, so every URL in it is checked before it is used (MCP
 * 2026-07-28, Security Best Practices, SSRF).
 *
 * @module
 */
import type { AcquireContext, FetchLike } from '../credential.ts'
import { nodeBuiltin } from '../encoding.ts'
import { CredentialError, DiscoveryError, type DiscoveryErrorOptions } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import { addressRange, isLoopbackHost, withoutBrackets } from './address.ts'
import type { OAuthPolicy } from './policy.ts'

/** The rules of one MCP server's OAuth traffic. */
export interface EndpointRules {
  /** The MCP server; it must not send the client to another host inside a private network. */
  readonly resource: URL
  /** Whether hosts and address ranges in private networks are allowed. */
  readonly allowPrivateNetwork: boolean
}

/** The context and the rules of requests to an authorization server. */
export interface EndpointContext extends EndpointRules {
  readonly fetch: FetchLike
  readonly signal: AbortSignal
  /** Reports events. */
  readonly emit?: AcquireContext['emit'] | undefined
  /** The policy of the application. */
  readonly allow?: OAuthPolicy | undefined
  /** The client, where it is known before discovery. */
  readonly clientId?: string | undefined
}

/** The limits of a response. */
export interface Bounds {
  /** Seconds until the complete response must have arrived. */
  readonly seconds: number
  /** The maximum size of its body in bytes. */
  readonly bytes: number
  /** Aborts the request. */
  readonly signal: AbortSignal
}

/** A response whose body was read within bounds. */
export type BoundedResponse = Pick<Response, 'ok' | 'status' | 'headers' | 'text'>

/** The bounds of metadata documents. */
export const documentBounds: Omit<Bounds, 'signal'> = { seconds: 10, bytes: 256 * 1024 }
/** The bounds of token responses and registrations. */
export const tokenBounds: Omit<Bounds, 'signal'> = { seconds: 30, bytes: 1024 * 1024 }
/** The bounds of the bodies of errors; the excess is not read. */
const errorBounds: Omit<Bounds, 'signal'> = { seconds: 3, bytes: 64 * 1024 }

// Characters that a shell or a terminal would interpret, and their replacement in a cleaned document. A
// browser is opened without a shell, but no legitimate URL needs them.
const refusedCharacters = /[$`|;<>"'\\^{}()\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\ufffd]/u

/**
 * Checks a URL that a server wrote, without contacting it.
 *
 * @param what - What the URL is for, such as `token_endpoint`.
 * @throws `DiscoveryError` when it is not https (or on this machine), contains a user name or characters for
 * a shell or a terminal, or points to another host in a private network.
 */
export function checkEndpoint(what: string, text: unknown, rules: EndpointRules): URL {
  if (typeof text !== 'string' || !URL.canParse(text)) {
    throw refused(what, 'is not a URL', rules)
  }
  const url = new URL(text)
  const label = JSON.stringify(resourceLabel(url))
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname))) {
    throw refused(what, `${label} is neither https nor on this machine`, rules, {
      reason: 'not_https',
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw refused(what, `${label} contains a user name or password`, rules)
  }
  if (refusedCharacters.test(text)) {
    throw refused(what, `${label} contains characters that no endpoint needs`, rules)
  }
  if (!mayLeadTo(url.hostname, rules)) {
    const isPublic = zoneOf(rules.resource.hostname) === 'public'
    const problem = isPublic
      ? 'points from a public server into a private network'
      : 'points to another host in a private network'
    throw refused(what, `${label} ${problem}`, rules, { remedy: allowPrivate })
  }
  return url
}

/**
 * Whether documents of the MCP server may point to a host: any public one, the server's own, and this machine
 * if the server runs here. The application must allow any other host in a private network.
 */
function mayLeadTo(host: string, { resource, allowPrivateNetwork }: EndpointRules): boolean {
  const zone = zoneOf(host)
  if (allowPrivateNetwork || zone === 'public') return true
  if (withoutBrackets(host) === withoutBrackets(resource.hostname)) return true
  return zone === 'loopback' && zoneOf(resource.hostname) === 'loopback'
}

/** Returns the zone of a host or an address; a name counts as public until it is resolved. */
function zoneOf(host: string): 'public' | 'loopback' | 'private' {
  if (isLoopbackHost(host)) return 'loopback'
  return (addressRange(host) ?? 'unicast') === 'unicast' ? 'public' : 'private'
}

/**
 * Contacts a server that a document named: {@link boundedFetch}, unless its name resolves to a private
 * address.
 *
 * If a name changes between the check and the connection, only a connection is made: requests to
 * other machines use https, and a host at a private address has no certificate for that name.
 * `publicFetch` of `mcp-credentials/node` checks the connection itself.
 *
 * @throws `DiscoveryError` when the address belongs to another host in a private network; otherwise what
 * {@link boundedFetch} throws.
 */
export async function fetchEndpoint(
  what: string,
  url: URL,
  init: RequestInit,
  bounds: Omit<Bounds, 'signal'>,
  context: EndpointContext,
): Promise<BoundedResponse> {
  return withTimeLimit(bounds.seconds * 1000, context.signal, async (signal) => {
    // A name lookup cannot be cancelled, only abandoned.
    await abortable(checkResolution(what, url, context), signal)
    return boundedFetch(context.fetch, url, init, { ...bounds, signal })
  })
}

async function checkResolution(what: string, url: URL, rules: EndpointRules): Promise<void> {
  const { hostname } = url
  // The application chose the server itself, whatever its name resolves to.
  if (rules.allowPrivateNetwork || hostname === rules.resource.hostname) return
  if (addressRange(hostname) !== undefined || isLoopbackHost(hostname)) return
  const dns = nodeBuiltin<NodeDns>('node:dns/promises')
  // A name that cannot be resolved here may still be resolved by a proxy, which has its own rules.
  const addresses = (await dns?.lookup(hostname, { all: true }).catch(() => [])) ?? []
  for (const { address } of addresses) {
    if (!mayLeadTo(address, rules)) {
      const problem = `${JSON.stringify(hostname)} has a private address (${addressRange(address)})`
      throw refused(what, problem, rules, { remedy: allowPrivate })
    }
  }
}

/**
 * Sends a request without following redirects, and reads the response within bounds. An error's body is
 * truncated to them.
 *
 * @throws `CredentialError` with the code `invalid_response` when the response is a redirect or too long;
 * otherwise what `fetch` throws, such as a `TimeoutError`.
 */
export async function boundedFetch(
  send: FetchLike,
  url: URL,
  init: RequestInit,
  { seconds, bytes, signal }: Bounds,
): Promise<BoundedResponse> {
  return withTimeLimit(seconds * 1000, signal, (limited) =>
    readResponse(send, url, { ...init, signal: limited }, bytes),
  )
}

async function readResponse(
  send: FetchLike,
  url: URL,
  init: RequestInit & { readonly signal: AbortSignal },
  bytes: number,
): Promise<BoundedResponse> {
  const response = await send(url, { ...init, redirect: 'manual' })
  const { ok, status, headers } = response
  if ((status >= 300 && status < 400) || response.type === 'opaqueredirect') {
    await response.body?.cancel()
    throw new CredentialError(
      'invalid_response',
      `${resourceLabel(url)} responded with a redirect, which is refused.`,
      { status, remedy: 'Configure the target URL, if you trust it.' },
    )
  }
  const body =
    status >= 400
      ? await readErrorBody(response, init.signal)
      : await readBounded(response, url, bytes)
  const plain = new Headers(headers)
  plain.delete('content-encoding')
  plain.delete('content-length')
  // A `Response` cannot be constructed with every status that servers send, such as `HTTP/1.1 999 …`.
  return { ok, status, headers: plain, text: () => new Response(body).text() }
}

/** Returns the form in the body of a request; empty when it has none. */
export function formOf({ body }: RequestInit): URLSearchParams {
  return new URLSearchParams(body instanceof URLSearchParams ? body : String(body ?? ''))
}

/** Parses the JSON object of a response; `undefined` for anything else. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether a value is a JSON object, and not a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

interface NodeDns {
  lookup(hostname: string, options: { all: true }): Promise<{ address: string }[]>
}

async function readBounded(
  response: Response,
  url: URL,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  if (await readChunks(response.body?.getReader(), chunks, limit)) return joined(chunks)
  throw new CredentialError(
    'invalid_response',
    `${resourceLabel(url)} responded with more than ${limit} bytes.`,
  )
}

/** Reads the part of an error's body that arrives in time: without it, the status is still used. */
async function readErrorBody(
  response: Response,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  const reader = response.body?.getReader()
  try {
    await withTimeLimit(errorBounds.seconds * 1000, signal, (limited) =>
      abortable(readChunks(reader, chunks, errorBounds.bytes), limited),
    )
  } catch (error) {
    reader?.cancel().catch(() => {})
    if (signal.aborted) throw error
  }
  return joined(chunks)
}

/** Reads until the end, or until there are more bytes than allowed; returns whether it was the end. */
async function readChunks(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  chunks: Uint8Array[],
  limit: number,
): Promise<boolean> {
  let size = 0
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true }
    if (done || value === undefined) return true
    size += value.byteLength
    if (size > limit) {
      await reader?.cancel()
      return false
    }
    chunks.push(value)
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((size, { byteLength }) => size + byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}

const contactOperator = "Nothing was sent to it. Contact the server's operator."
const allowPrivate = 'Nothing was sent to it. If this is intended, set `allowPrivateNetwork: true`.'

function refused(
  what: string,
  problem: string,
  { resource }: EndpointRules,
  { remedy = contactOperator, ...more }: Pick<DiscoveryErrorOptions, 'remedy' | 'reason'> = {},
): DiscoveryError {
  return new DiscoveryError(`${resourceLabel(resource)}: ${what} ${problem}.`, {
    resource,
    remedy,
    ...more,
  })
}
