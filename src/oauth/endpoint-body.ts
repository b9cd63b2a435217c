/**
 * The bodies of successful responses: repaired where that is safe, and otherwise reported as invalid.
 *
 * @module
 */
import { validScopes } from '../scope.ts'
import { isObject } from './endpoint.ts'

/** The endpoints whose responses are interpreted; `custom`: a non-standard one. */
export type EndpointKind =
  | 'token'
  | 'device_authorization'
  | 'pushed_authorization'
  | 'revocation'
  | 'registration'
  | 'custom'

/** A body, parsed as JSON where possible. */
export interface ParsedBody {
  readonly text: string
  /** `undefined`: it is not JSON. */
  readonly value: unknown
}

/** A body that can be used, or what is wrong with it. */
export interface CheckedBody {
  /** The body as the protocol libraries accept it; `undefined`: it cannot be used. */
  readonly text?: string
  /** The refresh token of a token response, also when the rest is invalid. */
  readonly refreshToken: string | undefined
  /** What is wrong, such as `with an empty body`. */
  readonly problem?: string
  /** What to do about it. */
  readonly remedy?: string
}

const contactOperator =
  'The server does not follow the OAuth standard; contact its operator, or check that the endpoint is the right one.'
const checkNetwork =
  'The response may come from a proxy or a sign-in page of the network; check the network and the endpoint.'

/** The required members of each kind of response. */
const requiredMembers: Readonly<Record<EndpointKind, readonly string[]>> = {
  token: ['access_token', 'token_type'],
  device_authorization: ['device_code', 'user_code', 'verification_uri', 'expires_in'],
  pushed_authorization: ['request_uri'],
  registration: ['client_id'],
  revocation: [],
  custom: [],
}

/** Parses a body, regardless of its content type. */
export function parsedBody(text: string): ParsedBody {
  // Response.text() has removed a byte order mark.
  try {
    return { text, value: JSON.parse(text) as unknown }
  } catch {
    return { text, value: undefined }
  }
}

/** What is wrong with a body, and what to do about it. */
interface BodyProblem {
  readonly problem: string
  readonly remedy: string
}

/** What is wrong with a body that is a page, as of a proxy; `undefined`: it is not a page. */
export function pageProblem({ text }: ParsedBody): BodyProblem | undefined {
  if (!text.trimStart().startsWith('<')) return undefined
  return { problem: 'with a page of HTML or XML instead of JSON', remedy: checkNetwork }
}

/** What is wrong with a body that should be JSON; `undefined`: it is. */
export function jsonProblem(parsed: ParsedBody): BodyProblem | undefined {
  const { text, value } = parsed
  if (value !== undefined) return undefined
  const start = text.trimStart()
  if (start === '') return { problem: 'with an empty body', remedy: contactOperator }
  const page = pageProblem(parsed)
  if (page !== undefined) return page
  if (start.startsWith('{') || start.startsWith('[')) {
    return {
      problem: 'with truncated or malformed JSON',
      remedy: 'Try again; if the error persists, contact the operator of the server.',
    }
  }
  return { problem: 'with text that is not JSON', remedy: contactOperator }
}

/** Checks and repairs the body of a successful response. */
export function checkedBody(endpoint: EndpointKind, parsed: ParsedBody): CheckedBody {
  const { text, value } = parsed
  if (endpoint === 'custom') return { text, refreshToken: undefined }
  const problem = jsonProblem(parsed)
  if (problem !== undefined) return { ...problem, refreshToken: undefined }
  if (!isObject(value)) {
    const what = { problem: 'with JSON that is not an object', remedy: contactOperator }
    return { ...what, refreshToken: undefined }
  }
  const body = repaired(endpoint, value)
  const refreshToken = endpoint === 'token' ? body['refresh_token'] : undefined
  const found = { refreshToken: typeof refreshToken === 'string' ? refreshToken : undefined }
  const missing = requiredMembers[endpoint].find((member) => !isPresent(body[member]))
  if (missing !== undefined) {
    return { ...found, problem: `with no \`${missing}\``, remedy: contactOperator }
  }
  if (endpoint === 'token' && !isTokenType(body['token_type'])) {
    const remedy = 'Tokens of other types cannot be sent by this library; contact the operator.'
    return { ...found, problem: 'with a token that is neither Bearer nor DPoP', remedy }
  }
  if (endpoint === 'registration' && !isIdentifier(body['client_id'])) {
    return { ...found, problem: 'with a malformed `client_id`', remedy: contactOperator }
  }
  return { ...found, text: JSON.stringify(body) }
}

/** Whether a value is a valid client identifier (RFC 6749, appendix A.1); longer ones do not fit into a request. */
function isIdentifier(value: unknown): boolean {
  return /^[\x20-\x7e]{1,8192}$/.test(String(value))
}

function isPresent(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && value !== '')
}

/** `N_A` is the type of an exchanged token that is not an access token (RFC 8693, section 2.2.1). */
function isTokenType(type: unknown): boolean {
  return typeof type === 'string' && /^(?:bearer|dpop|n_a)$/i.test(type)
}

/** Repairs malformed members, so that they do not end a login. */
function repaired(endpoint: EndpointKind, body: Record<string, unknown>): Record<string, unknown> {
  switch (endpoint) {
    case 'token':
      return repairedToken(body)
    case 'device_authorization':
      return repairedDeviceAuthorization(body)
    case 'pushed_authorization':
      // The lifetime does not matter, because the request is used at once.
      return { ...body, expires_in: seconds(body['expires_in']) || 60 }
    case 'registration':
    case 'revocation':
    case 'custom':
      return body
    default:
      return endpoint satisfies never
  }
}

function repairedToken(body: Record<string, unknown>): Record<string, unknown> {
  const { access_token, refresh_token, expires_in, scope, id_token: _unused, ...rest } = body
  const isRefreshToken = typeof refresh_token === 'string' && /^[\x20-\x7e]+$/.test(refresh_token)
  const lifetime = seconds(expires_in)
  return {
    ...rest,
    ...(typeof access_token === 'string' ? { access_token } : {}),
    ...(isRefreshToken ? { refresh_token } : {}),
    ...(lifetime === undefined ? {} : { expires_in: Math.max(0, lifetime) }),
    ...(typeof scope === 'string' ? { scope: validScopes(scope).join(' ') } : {}),
  }
}

function repairedDeviceAuthorization(body: Record<string, unknown>): Record<string, unknown> {
  const { interval, expires_in, user_code, verification_uri_complete: complete, ...rest } = body
  // Google uses the name of a draft of RFC 8628.
  const { verification_uri = body['verification_url'] } = body
  const pauseSeconds = seconds(interval)
  const lifetime = seconds(expires_in)
  return {
    ...rest,
    ...(verification_uri === undefined ? {} : { verification_uri }),
    ...(user_code === undefined ? {} : { user_code: String(user_code) }),
    ...(pauseSeconds !== undefined && pauseSeconds > 0 ? { interval: pauseSeconds } : {}),
    ...(lifetime === undefined ? {} : { expires_in: lifetime }),
    ...(typeof complete === 'string' ? { verification_uri_complete: complete } : {}),
  }
}

/** A number of seconds; some servers send it as text. */
function seconds(value: unknown): number | undefined {
  const isNumeric = typeof value === 'string' && /^-?\d{1,15}(?:\.\d+)?$/.test(value)
  const number = isNumeric ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}
