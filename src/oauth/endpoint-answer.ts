/**
 * Interprets the responses of an authorization server's endpoints.
 *
 * Servers send errors with an empty body or with a non-standard code, and proxies send pages of HTML in their
 * place, so a response is interpreted by its status first; the body only adds to that, regardless of its
 * content type.
 *
 * @module
 */
import { parseRetryAfter } from '../retry-after.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { type BoundedResponse, isObject } from './endpoint.ts'
import {
  checkedBody,
  type EndpointKind,
  type ParsedBody,
  pageProblem,
  parsedBody,
} from './endpoint-body.ts'
import { serverDescription } from './server-description.ts'

/**
 * What an error means: the server is `busy`; it refused the grant (`grant_refused`), the client (`client_refused`) or
 * something else (`request_refused`); or the response is not an error, but invalid (`invalid`).
 */
export type EndpointErrorKind =
  | 'busy'
  | 'grant_refused'
  | 'client_refused'
  | 'request_refused'
  | 'invalid'

/** The details of an error response. */
export interface EndpointErrorDetails {
  /** The host that responded; `undefined`: that of the issuer. */
  readonly host?: string | undefined
  /** The HTTP status. */
  readonly status: number
  /** The registered code; empty: none, or a non-standard one. */
  readonly code: string
  /** The server's `Retry-After` in seconds. */
  readonly retryAfter?: number | undefined
  /** The server's description, which may be an attack; secrets of the request are removed. */
  readonly serverDescription?: string | undefined
  /** What is wrong with a response that is invalid or a page, such as `with an empty body`. */
  readonly problem?: string
  /** What to do about that. */
  readonly remedy?: string
  /** Whether the request carried a proof of possession (RFC 9449). Default `false`. */
  readonly isProven?: boolean
}

/** An error response. It is internal to this folder; `error-mapping.ts` maps it to a public error. */
export class EndpointError extends Error {
  /** The name of the class. */
  override readonly name = 'EndpointError'
  /** Its meaning. */
  readonly kind: EndpointErrorKind
  /** Its details. */
  readonly details: EndpointErrorDetails

  constructor(kind: EndpointErrorKind, details: EndpointErrorDetails) {
    super(`An endpoint responded with ${details.status} (${kind}).`)
    this.kind = kind
    this.details = details
  }
}

/** The request that was answered. */
export interface EndpointRequest {
  readonly endpoint: EndpointKind
  /** The endpoint's address. */
  readonly url: URL
  /** The request, so that none of its secrets is shown. */
  readonly init: RequestInit
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A response that was read completely. */
export interface ReadAnswer {
  readonly ok: boolean
  readonly status: number
  readonly headers: Headers
  readonly parsed: ParsedBody
}

/** A response that was interpreted. */
export interface JudgedAnswer {
  /** The response as the protocol libraries accept it, or its error. */
  readonly result: Response | EndpointError
  /** The refresh token of a token response, even if the rest of the response is invalid. */
  readonly refreshToken: string | undefined
}

/** Codes that mean that the grant is refused, so that a retry fails too (RFC 6749, RFC 8628, OpenID Connect). */
const refusedGrantCodes: ReadonlySet<string> = new Set([
  'invalid_grant',
  'access_denied',
  'expired_token',
  'interaction_required',
  'login_required',
  'consent_required',
  'account_selection_required',
])

/** Codes of temporary failures. */
const busyCodes: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error'])

/** Codes that are part of a flow, which the protocol libraries continue (RFC 8628). */
const flowCodes: ReadonlySet<string> = new Set(['authorization_pending', 'slow_down'])

/** The other registered codes (IANA, OAuth Extensions Error Registry), which keep their meaning. */
const otherCodes: ReadonlySet<string> = new Set([
  'invalid_client',
  'invalid_request',
  'invalid_scope',
  'invalid_target',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'unsupported_token_type',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'invalid_authorization_details',
  'invalid_request_object',
  'invalid_request_uri',
  'request_not_supported',
  'request_uri_not_supported',
  'insufficient_user_authentication',
  'unmet_authentication_requirements',
  'invalid_redirect_uri',
  'invalid_client_metadata',
  'invalid_software_statement',
  'unapproved_software_statement',
])

/** Non-standard codes of GitHub, which sends them with status 200. */
const ownCodes: ReadonlyMap<string, Exclude<EndpointErrorKind, 'invalid'>> = new Map([
  ['bad_refresh_token', 'grant_refused'],
  ['bad_verification_code', 'grant_refused'],
  ['incorrect_client_credentials', 'client_refused'],
  ['application_suspended', 'client_refused'],
  // The user can resolve it without a new login.
  ['unverified_user_email', 'request_refused'],
])

/** Returns the meaning of a non-standard code; `undefined`: not known. */
function ownKind(error: unknown): Exclude<EndpointErrorKind, 'invalid'> | undefined {
  if (typeof error !== 'string') return undefined
  return ownCodes.get(error) ?? (/client/i.test(error) ? 'client_refused' : undefined)
}

/**
 * Returns a registered code; empty for any other value, which is text of the server.
 *
 * @see RFC 6749, section 5.2
 */
export function registeredCode(error: unknown): string {
  if (typeof error !== 'string') return ''
  const groups = [refusedGrantCodes, busyCodes, flowCodes, otherCodes]
  return groups.some((codes) => codes.has(error)) ? error : ''
}

/**
 * Returns the meaning of an error response.
 *
 * | code | status | meaning |
 * |---|---|---|
 * | any | 408, 425, 429, 5xx | busy |
 * | `temporarily_unavailable`, `server_error` | any | busy |
 * | `invalid_grant`, `access_denied`, … | any | the grant is refused |
 * | `invalid_client` | any | the client is refused |
 * | another registered one | any | the request is refused, as the code says |
 * | non-standard, of GitHub | any | as the code says |
 * | non-standard, with `client` in it | any | the client is refused |
 * | none, but a page of HTML or XML | 401, 403, but not of a registration | busy: a proxy answered |
 * | none, or non-standard | 401, 403 | the client is refused |
 * | none, but a page of HTML or XML | 400, 422 of a token endpoint | busy: a proxy answered |
 * | none, or non-standard | 400, 422 of a token endpoint | the grant is refused |
 * | none, or non-standard | otherwise | the request is refused |
 *
 * @param code - A registered code; empty: none.
 * @param said - A non-standard code, and whether the body is a page instead.
 */
export function errorKind(
  endpoint: EndpointKind,
  status: number,
  code: string,
  { error, isPage = false }: { readonly error?: unknown; readonly isPage?: boolean } = {},
): Exclude<EndpointErrorKind, 'invalid'> {
  if (isBusyStatus(status) || busyCodes.has(code)) return 'busy'
  if (refusedGrantCodes.has(code)) return 'grant_refused'
  if (code !== '') return code === 'invalid_client' ? 'client_refused' : 'request_refused'
  const own = ownKind(error)
  if (own !== undefined) return own
  if (status === 401 || status === 403) {
    // A page of a proxy must not end the logins of all users of the client.
    return isPage && endpoint !== 'registration' ? 'busy' : 'client_refused'
  }
  const redeems = endpoint === 'token' || endpoint === 'custom'
  if (!redeems || !isVague(status)) return 'request_refused'
  // Some servers refuse an invalid refresh token with a 400 without a body, but do not send a page.
  return isPage ? 'busy' : 'grant_refused'
}

/** Whether a status means that the server is temporarily unavailable. */
function isBusyStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

/** Whether a status only means that something was refused. */
function isVague(status: number): boolean {
  return status === 400 || status === 422
}

/** Returns the endpoint of a form by its parameters: two endpoints may have one URL. */
export function endpointOf(form: URLSearchParams): EndpointKind {
  if (form.has('grant_type')) return 'token'
  if (form.has('token')) return 'revocation'
  return form.has('response_type') ? 'pushed_authorization' : 'device_authorization'
}

/** Reads a response completely. */
export async function readAnswer(response: BoundedResponse): Promise<ReadAnswer> {
  const { ok, status, headers } = response
  // JSON is UTF-8, regardless of the content type (RFC 8259, section 8.1).
  return { ok, status, headers, parsed: parsedBody(await response.text()) }
}

/** Returns the code of a response: the `error` of its body, or else of a challenge; empty: there is none. */
export function errorCodeOf({ headers, parsed }: Pick<ReadAnswer, 'headers' | 'parsed'>): string {
  const error = errorOf(parsed)
  return typeof error === 'string' ? error : challengedCode(headers)
}

function errorOf({ value }: ParsedBody): unknown {
  return isObject(value) ? value['error'] : undefined
}

/** Interprets a response. */
export function judgeAnswer(answer: ReadAnswer, request: EndpointRequest): JudgedAnswer {
  const { ok, status, parsed } = answer
  const { endpoint, url } = request
  const body = isObject(parsed.value) ? parsed.value : undefined
  if (!ok) return withoutToken(errorAnswer(answer, status, request))
  // A few large servers send errors with status 200.
  if (endpoint !== 'custom' && isErrorBody(body)) {
    return withoutToken(errorAnswer(answer, 400, request))
  }
  if (endpoint === 'revocation') return withoutToken(accepted(answer, 200, ''))
  const { text: usable, refreshToken, ...invalid } = checkedBody(endpoint, parsed)
  if (usable === undefined) {
    const details = { host: url.host, status, code: '', ...invalid }
    return { result: new EndpointError('invalid', details), refreshToken }
  }
  const expected = endpoint === 'pushed_authorization' || endpoint === 'registration' ? 201 : 200
  return { result: accepted(answer, expected, usable), refreshToken }
}

function withoutToken(result: Response | EndpointError): JudgedAnswer {
  return { result, refreshToken: undefined }
}

function isErrorBody(body: Record<string, unknown> | undefined): boolean {
  if (typeof body?.['error'] !== 'string' || body['error'] === '') return false
  const members = ['access_token', 'device_code', 'request_uri', 'client_id']
  return !members.some((member) => body[member] !== undefined)
}

/** @param effective - The status that counts. */
function errorAnswer(
  answer: ReadAnswer,
  effective: number,
  { endpoint, url, init, now }: EndpointRequest,
): Response | EndpointError {
  const { status, headers, parsed } = answer
  const body = isObject(parsed.value) ? parsed.value : undefined
  const error = errorOf(parsed)
  const code = registeredCode(error) || challengedCode(headers)
  const page = code === '' ? pageProblem(parsed) : undefined
  const kind = errorKind(endpoint, effective, code, { error, isPage: page !== undefined })
  if (flowCodes.has(code) && kind !== 'busy') {
    return accepted(answer, effective, JSON.stringify({ error: code }))
  }
  return new EndpointError(kind, {
    host: url.host,
    status,
    code,
    retryAfter: parseRetryAfter(headers.get('Retry-After'), now),
    serverDescription: serverDescription(body, code, init),
    isProven: new Headers(init.headers).has('DPoP'),
    ...(kind === 'busy' && !isBusyStatus(effective) ? page : undefined),
  })
}

/** The code of a server that sends it only in a challenge. */
function challengedCode(headers: Headers): string {
  const challenges = parseChallenges(headers.get('WWW-Authenticate'))
  return challenges
    .map(({ parameters }) => registeredCode(parameters.get('error')))
    .reduce((first, code) => first || code, '')
}

/** Makes the response that the protocol libraries expect: its status, its type, and no challenge. */
function accepted({ headers: own }: ReadAnswer, status: number, body: string): Response {
  const headers = new Headers(own)
  headers.delete('WWW-Authenticate')
  headers.set('Content-Type', 'application/json')
  return new Response(body, { status, headers })
}
