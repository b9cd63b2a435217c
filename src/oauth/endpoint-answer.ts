/**
 * What the answer of an authorization server's endpoint means.
 *
 * Servers send errors with an empty body or with a code of their own, and proxies send pages of HTML in their
 * place, so an answer is judged by its status first; its body only adds to that, whatever its content type.
 *
 * @module
 */
import { parseRetryAfter } from '../retry-after.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { isObject } from './endpoint.ts'
import {
  checkedBody,
  type EndpointKind,
  type ParsedBody,
  pageProblem,
  parsedBody,
} from './endpoint-body.ts'
import { serverDescription } from './server-description.ts'

/**
 * What an error means: the server is `busy`; it refused the grant (`grant_refused`), the client
 * (`client_refused`) or something else (`request_refused`); or the answer is no error, but unusable (`invalid`).
 */
export type EndpointErrorKind =
  | 'busy'
  | 'grant_refused'
  | 'client_refused'
  | 'request_refused'
  | 'invalid'

/** What is known of an error answer. */
export interface EndpointErrorDetails {
  /** The host that answered; `undefined`: that of the issuer. */
  readonly host?: string | undefined
  /** The HTTP status. */
  readonly status: number
  /** The registered code; empty: none, or one of the server's own. */
  readonly code: string
  /** Seconds that the server asks for. */
  readonly retryAfter?: number | undefined
  /** What the server wrote about it, which may be an attack; secrets of the request are not in it. */
  readonly serverDescription?: string | undefined
  /** What is wrong with an answer that is unusable or a page, such as `with an empty body`. */
  readonly problem?: string
  /** What to do about that. */
  readonly remedy?: string
  /** The request carried a proof of possession (RFC 9449). Default `false`. */
  readonly isProven?: boolean
}

/** An error answer. It stays inside this folder, where `error-mapping.ts` makes an error for users of it. */
export class EndpointError extends Error {
  /** The name of the class. */
  override readonly name = 'EndpointError'
  /** What it means. */
  readonly kind: EndpointErrorKind
  /** What is known of it. */
  readonly details: EndpointErrorDetails

  constructor(kind: EndpointErrorKind, details: EndpointErrorDetails) {
    super(`An endpoint answered ${details.status} (${kind}).`)
    this.kind = kind
    this.details = details
  }
}

/** The request that was answered. */
export interface EndpointRequest {
  readonly endpoint: EndpointKind
  /** The endpoint's address. */
  readonly url: URL
  /** What was sent, so that nothing secret of it is shown. */
  readonly init: RequestInit
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** An answer that was read to its end, once. */
export interface ReadAnswer {
  readonly ok: boolean
  readonly status: number
  readonly headers: Headers
  readonly parsed: ParsedBody
}

/** An answer that was judged. */
export interface JudgedAnswer {
  /** The answer as the protocol libraries accept it, or what it says instead. */
  readonly result: Response | EndpointError
  /** The refresh token of a token response, also when the rest of the response is invalid. */
  readonly refreshToken: string | undefined
}

/** Codes that mean that the grant is refused, so that a repetition fails too (RFC 6749, RFC 8628, OpenID Connect). */
const refusedGrantCodes: ReadonlySet<string> = new Set([
  'invalid_grant',
  'access_denied',
  'expired_token',
  'interaction_required',
  'login_required',
  'consent_required',
  'account_selection_required',
])

/** Codes that pass. */
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

/** Home-made codes of GitHub, which sends them with status 200. */
const ownCodes: ReadonlyMap<string, Exclude<EndpointErrorKind, 'invalid'>> = new Map([
  ['bad_refresh_token', 'grant_refused'],
  ['bad_verification_code', 'grant_refused'],
  ['incorrect_client_credentials', 'client_refused'],
  ['application_suspended', 'client_refused'],
  // The user can mend it without a new login.
  ['unverified_user_email', 'request_refused'],
])

/** What a home-made code means as far as it can be told; `undefined`: nothing. */
function ownKind(error: unknown): Exclude<EndpointErrorKind, 'invalid'> | undefined {
  if (typeof error !== 'string') return undefined
  return ownCodes.get(error) ?? (/client/i.test(error) ? 'client_refused' : undefined)
}

/**
 * A code that is registered; empty for any other value, which is text of the server.
 *
 * @see RFC 6749, section 5.2
 */
export function registeredCode(error: unknown): string {
  if (typeof error !== 'string') return ''
  const groups = [refusedGrantCodes, busyCodes, flowCodes, otherCodes]
  return groups.some((codes) => codes.has(error)) ? error : ''
}

/**
 * What an error answer means.
 *
 * | code | status | meaning |
 * |---|---|---|
 * | any | 408, 425, 429, 5xx | busy |
 * | `temporarily_unavailable`, `server_error` | any | busy |
 * | `invalid_grant`, `access_denied`, … | any | the grant is refused |
 * | `invalid_client` | any | the client is refused |
 * | another registered one | any | the request is refused, as the code says |
 * | home-made, of GitHub | any | as the code says |
 * | home-made, with `client` in it | any | the client is refused |
 * | none, or home-made | 401, 403 | the client is refused |
 * | none, but a page of HTML or XML | 400, 422 of a token endpoint | busy: a proxy answered |
 * | none, or home-made | 400, 422 of a token endpoint | the grant is refused |
 * | none, or home-made | otherwise | the request is refused |
 *
 * @param code - A registered code; empty: none.
 * @param said - A home-made code, and whether the body is a page instead.
 */
export function errorKind(
  endpoint: EndpointKind,
  status: number,
  code: string,
  { error, isPage = false }: { readonly error?: unknown; readonly isPage?: boolean } = {},
): Exclude<EndpointErrorKind, 'invalid'> {
  const isBusy = status === 408 || status === 425 || status === 429 || status >= 500
  if (isBusy || busyCodes.has(code)) return 'busy'
  if (refusedGrantCodes.has(code)) return 'grant_refused'
  if (code !== '') return code === 'invalid_client' ? 'client_refused' : 'request_refused'
  const own = ownKind(error)
  if (own !== undefined) return own
  if (status === 401 || status === 403) return 'client_refused'
  const redeems = endpoint === 'token' || endpoint === 'custom'
  if (!redeems || !isVague(status)) return 'request_refused'
  // Some servers answer a dead refresh token with a bare 400, but a page is no verdict of theirs.
  return isPage ? 'busy' : 'grant_refused'
}

/** Whether a status says no more than that something was refused. */
function isVague(status: number): boolean {
  return status === 400 || status === 422
}

/** Which endpoint a form is for, by its parameters: two endpoints may have one address. */
export function endpointOf(form: URLSearchParams): EndpointKind {
  if (form.has('grant_type')) return 'token'
  if (form.has('token')) return 'revocation'
  return form.has('response_type') ? 'pushed_authorization' : 'device_authorization'
}

/** Reads an answer to its end. */
export async function readAnswer(response: Response): Promise<ReadAnswer> {
  const { ok, status, headers } = response
  // JSON is UTF-8, whatever the content type says (RFC 8259, section 8.1).
  return { ok, status, headers, parsed: parsedBody(await response.text()) }
}

/** The code of an answer: what its body has as `error`, or else what a challenge has; empty: there is none. */
export function errorCodeOf({ headers, parsed }: Pick<ReadAnswer, 'headers' | 'parsed'>): string {
  const error = errorOf(parsed)
  return typeof error === 'string' ? error : challengedCode(headers)
}

function errorOf({ value }: ParsedBody): unknown {
  return isObject(value) ? value['error'] : undefined
}

/** Judges an answer. */
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
    ...(kind === 'busy' && isVague(effective) ? page : undefined),
  })
}

/** The code of a server that says it in a challenge only. */
function challengedCode(headers: Headers): string {
  const challenges = parseChallenges(headers.get('WWW-Authenticate'))
  return challenges
    .map(({ parameters }) => registeredCode(parameters.get('error')))
    .reduce((first, code) => first || code, '')
}

/** The same answer as the protocol libraries expect it: its status, its type, and no challenge. */
function accepted({ headers: own }: ReadAnswer, status: number, body: string): Response {
  const headers = new Headers(own)
  headers.delete('WWW-Authenticate')
  headers.set('Content-Type', 'application/json')
  return new Response(body, { status, headers })
}
