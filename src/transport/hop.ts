/**
 * One attempt of a request: applies the credential, sends the request, and follows redirects.
 *
 * @module
 */
import type { Credential, OutgoingRequest } from '../credential.ts'
import { CredentialError, isCredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { isObserved } from '../manager/diagnostics.ts'
import { isTransportHeader } from '../transport-headers.ts'
import { abortable } from '../waiting.ts'
import type { Call } from './call.ts'
import { applyCredential, type Channel, whereOf } from './credential-calls.ts'
import { discardAndThrow, drain } from './drain.ts'
import type { LinkedSignal } from './linked-signal.ts'
import { isOAuthRequest } from './oauth-endpoints.ts'
import { type Content, Outgoing } from './outgoing.ts'

/** One attempt of a request. */
export interface Attempt {
  readonly call: Call
  readonly content: Content
  readonly credential: Credential
  /** The session of the manager in which the credential was obtained. */
  readonly session: number
  /** Aborts when that session ends. */
  readonly ending: AbortSignal
  /** From 1. */
  readonly number: number
  readonly abort: LinkedSignal
}

/** A request and its response. */
export interface Exchange {
  readonly request: Outgoing
  readonly response: Response
  /** The server refused the credential, by a 401 or as the provider defines it. */
  readonly refused: boolean
}

const maxRedirects = 5
const maxLabelLength = 200

/**
 * Sends a request with a credential, and follows the server's redirects within its origin.
 *
 * @returns `undefined` when the credential belongs to an earlier session of the manager, and was not sent.
 * @throws The manager's error when it is closed; `CredentialError` when the credential cannot be put on the
 * request.
 */
export async function sendAttempt(
  channel: Channel,
  attempt: Attempt,
): Promise<Exchange | undefined> {
  const { port } = channel
  const { call, content, credential, abort } = attempt
  let target = call.url
  for (let hops = 0; ; hops += 1) {
    if (port.closing.aborted) throw port.closing.reason
    if (port.session !== attempt.session) return undefined
    const headers = new Headers(call.headers)
    const now = channel.now() + port.clockOffset
    const request = new Outgoing(call.method, target, headers, content, attempt.number, now, abort)
    const applying = applyCredential(channel, credential, request, call.init.signal ?? undefined)
    if (applying !== undefined && !(await isApplied(channel, attempt, applying))) return undefined
    checkHeaders(channel, call.headers, headers, request)
    checkTarget(channel, request)
    // No `await` may come between these two checks and the request.
    if (port.closing.aborted) throw port.closing.reason
    if (port.session !== attempt.session) return undefined
    const response = await transmit(channel, call, request, target)
    const refused = response.status === 401 || isRefused(channel, response)
    if (refused) return { request, response, refused }
    const next = nextTarget(channel, call, content, response, target, hops)
    if (next === undefined) return { request, response, refused }
    drain(response)
    target = next
  }
}

/** Waits until the credential is applied; `false`: its session has ended in the meantime. */
async function isApplied(
  { port }: Channel,
  { call, session, ending }: Attempt,
  applying: Promise<void>,
): Promise<boolean> {
  try {
    await abortable(applying, ending)
    return true
  } catch (error) {
    const isWanted = !port.closing.aborted && call.init.signal?.aborted !== true
    if (isWanted && port.session !== session) return false
    throw error
  }
}

/** Whether the provider treats a response other than a 401 as a refusal. */
export function isRefused({ port }: Channel, response: Response): boolean {
  try {
    return port.refused(response)
  } catch {
    // An error of `refused` must not make the response unusable.
    return false
  }
}

/**
 * Refuses a credential that has changed the transport's headers, and reports which other headers it has replaced.
 *
 * @param before - The headers without it.
 * @param headers - The headers object that the credential received.
 */
export function checkHeaders(
  channel: Channel,
  before: Headers,
  headers: Headers,
  request: Pick<OutgoingRequest, 'headers'>,
): void {
  if (request.headers !== headers)
    throw replaced(channel, 'headers', 'Set headers with headers.set().')
  for (const [name, value] of headers) {
    if (isTransportHeader(name) && before.get(name) !== value) throw wrongHeader(channel, name)
  }
  for (const [name] of before) {
    if (isTransportHeader(name) && !headers.has(name)) throw wrongHeader(channel, name)
  }
  if (!channel.observed && !isObserved()) return
  before.forEach((value, header) => {
    if (headers.get(header) !== value) channel.port.emit({ type: 'header_replaced', header })
  })
}

function checkTarget(channel: Channel, request: Outgoing): void {
  if (!request.hasOwnUrl) return
  // The checked string is the one that is sent: the object may not be a URL, and may change later.
  const href = textOf(request.destination)
  if (!URL.canParse(href)) throw replaced(channel, 'url', 'Assign a URL.')
  const target = new URL(href)
  const { origin } = channel.port.resource
  if (target.origin !== origin) {
    throw new CredentialError(
      'wrong_origin',
      `${channel.port.provider}: the credential tried to send the request to another origin than ${origin}.`,
      whereOf(channel),
    )
  }
  request.url = target
}

function textOf(value: unknown): string {
  try {
    return String(value)
  } catch {
    return ''
  }
}

function replaced(channel: Channel, member: string, remedy: string): CredentialError {
  return new CredentialError(
    'invalid_credential',
    `${channel.port.provider}: the credential replaced \`${member}\` of the request with an invalid value.`,
    { ...whereOf(channel), remedy },
  )
}

function wrongHeader(channel: Channel, header: string): CredentialError {
  return new CredentialError(
    'invalid_credential',
    `${channel.port.provider}: the credential changed the header ${header}, which belongs to the transport.`,
    whereOf(channel),
  )
}

async function transmit(
  channel: Channel,
  { init, method }: Call,
  request: Outgoing,
  target: URL,
): Promise<Response> {
  const redirect = init.redirect === 'error' ? 'error' : 'manual'
  const sent = { ...init, method, headers: request.headers, redirect } as const
  if (!request.hasOwnUrl) return channel.send(target, sent)
  try {
    return await channel.send(request.destination, sent)
  } catch (error) {
    if (init.signal?.aborted === true) throw init.signal.reason
    if (isCredentialError(error) || request.destination.href === target.href) throw error
    // Runtimes quote the URL in their errors, which here contains the key.
    throw new TypeError('fetch failed', { cause: { code: errorCodeOf(error) } })
  }
}

function errorCodeOf(error: unknown): string | undefined {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: { code?: unknown } | null }
  const text = [code, cause?.code].find((value) => typeof value === 'string')
  return typeof text === 'string' && /^[A-Za-z][A-Za-z_]{0,40}$/.test(text) ? text : undefined
}

/** Returns the target of a redirect to follow; `undefined`: the response is returned to the caller. */
function nextTarget(
  channel: Channel,
  call: Call,
  content: Content,
  response: Response,
  from: URL,
  hops: number,
): URL | undefined {
  const { status } = response
  if (response.type === 'opaqueredirect') return refuseOpaque(channel, call, response, from)
  // With manual redirects, the caller follows them by calling again.
  if (status < 300 || status > 399 || call.init.redirect === 'manual') return undefined
  const location = response.headers.get('Location')
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined
  const isGet = call.method === 'GET' || call.method === 'HEAD'
  // 301, 302 and 303 would turn a POST into a GET without its body (RFC 9110 section 15.4).
  const keepsRequest = isGet || ((status === 307 || status === 308) && content.replayable)
  const isWithin = target?.origin === from.origin && keepsRequest && hops < maxRedirects
  // An authorization server on the same origin must not see the credential.
  if (isWithin && !isOAuthRequest(call, target, channel.port.resource.pathname)) {
    target.username = ''
    target.password = ''
    return target
  }
  const label = target === undefined ? '<invalid URL>' : targetLabel(target)
  channel.port.emit({ type: 'redirect_refused', status, target: label })
  return undefined
}

/** Returns the part of a redirect target that may be shown: a `data:` URL is all content. */
function targetLabel(target: URL): string {
  const isHttp = target.protocol === 'http:' || target.protocol === 'https:'
  return (isHttp ? resourceLabel(target) : target.protocol).slice(0, maxLabelLength)
}

/** Browsers hide the target of a redirect, so it cannot be followed with a new signature. */
function refuseOpaque(channel: Channel, call: Call, response: Response, from: URL): undefined {
  const target = resourceLabel(from)
  channel.port.emit({ type: 'redirect_refused', status: response.status, target })
  if (call.init.redirect === 'manual') return undefined
  return discardAndThrow(
    response,
    new CredentialError(
      'redirect_refused',
      `${channel.port.provider}: ${target} redirects, and this platform hides the target.`,
      { ...whereOf(channel), remedy: 'Use the final URL of the MCP server.' },
    ),
  )
}
