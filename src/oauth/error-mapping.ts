/**
 * Turns what openid-client throws into errors of ours.
 *
 * Its errors hold the raw responses of servers, tokens included, so none of them is passed on: only a
 * code, a status and a cleaned description are.
 *
 * @module
 */
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client'
import {
  CredentialError,
  type CredentialErrorOptions,
  cleanText,
  isCredentialError,
  LoginRequiredError,
} from '../errors.ts'
import { parseRetryAfter } from '../retry-after.ts'

/** Where an error happened. */
export interface ErrorContext {
  readonly provider: string
  readonly resource: URL
  /** The issuer, as far as it is known. */
  readonly issuer: string | undefined
  /** A grant that the server refuses requires user interaction. */
  readonly interactive: boolean
}

/** Codes that mean that the grant is invalid, so that a repetition fails too. */
const invalidGrantCodes: ReadonlySet<string> = new Set([
  'invalid_grant',
  'access_denied',
  'expired_token',
  'interaction_required',
  'login_required',
  'consent_required',
])
const passing: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error'])

const remedies: Readonly<Record<string, string>> = {
  invalid_client:
    'Check the client id, its secret or key, and how the server wants clients to authenticate.',
  unauthorized_client: 'Allow this grant type for the client at the authorization server.',
  unsupported_grant_type: 'The authorization server does not offer this grant; choose another.',
  invalid_scope: 'Ask for scopes that the server lists.',
  invalid_target: 'The server does not know this resource; set the option `resource`.',
  invalid_request: 'Compare the parameters with what the server expects.',
}

/** Whether a server said that the grant which was sent is invalid. */
export function isGrantRefused(error: unknown): boolean {
  return error instanceof ResponseBodyError && refusedGrant(error.error, error.status)
}

/** Whether it is not known if the server acted on the request: its response was lost. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof ResponseBodyError || error instanceof WWWAuthenticateChallengeError) {
    return false
  }
  if (error instanceof AuthorizationResponseError) return false
  if (isCredentialError(error)) return false
  const cause = error instanceof ClientError ? (error as { cause?: unknown }).cause : error
  if (cause instanceof TypeError) return !neverSent(cause)
  return (error as { code?: unknown } | null)?.code === 'OAUTH_TIMEOUT'
}

/** Whether the same request may succeed in a moment: there was no response, or the server is busy. */
export function isPassing(error: unknown): boolean {
  if (isOutcomeUnknown(error)) return true
  const { cause, response = cause } = error as { cause?: unknown; response?: unknown }
  return response instanceof Response && (response.status >= 500 || response.status === 429)
}

/** Whether the server does not know the client, or not with this secret. */
export function isClientRefused(error: unknown): boolean {
  if (error instanceof WWWAuthenticateChallengeError) return true
  return error instanceof ResponseBodyError && error.error === 'invalid_client'
}

/** Maps any thrown value. Errors that are not about OAuth are left to the manager. */
export function toOAuthError(thrown: unknown, context: ErrorContext, now: number): unknown {
  if (isCredentialError(thrown)) return thrown
  const { provider, resource, issuer } = context
  const where: CredentialErrorOptions = { provider, resource }
  const server =
    issuer === undefined ? `${resource.host} or its authorization server` : label(issuer)
  const unreachable = unreachableError(thrown, server, context)
  if (unreachable !== undefined) return unreachable
  if (thrown instanceof ResponseBodyError) {
    const { error, error_description: description, response } = thrown
    const said = { code: registeredCode(error), description }
    return responseError(context, server, said, response, now)
  }
  if (thrown instanceof WWWAuthenticateChallengeError) {
    // How a token endpoint turns a client away (RFC 6749, section 5.2).
    return toResponseError(thrown.response, context, now)
  }
  if (thrown instanceof AuthorizationResponseError) {
    const code = registeredCode(thrown.error)
    if (passing.has(code)) {
      const said = `${provider}: ${server} cannot log anybody in at the moment (${code}).`
      return new CredentialError('server_error', said, { ...where, retryable: true })
    }
    return new LoginRequiredError(
      'grant_rejected',
      `${provider}: ${server} did not authorize the client (${code}).`,
      { ...where, remedy: 'Log in again and agree to what the server asks.' },
    )
  }
  if (!(thrown instanceof ClientError)) return thrown
  const { code, cause } = thrown as { code?: string; cause?: unknown }
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') {
    return new CredentialError('timeout', `${provider}: ${server} did not answer in time.`, {
      ...where,
      retryable: true,
    })
  }
  if (code === 'OAUTH_RESPONSE_IS_NOT_CONFORM' && cause instanceof Response) {
    return toResponseError(cause, context, now)
  }
  // Where the library wraps what fetch threw, the manager knows how to read it.
  if (code === undefined && cause instanceof Error) return cause
  return new CredentialError(
    'invalid_response',
    `${provider}: the response of ${server} was not valid OAuth (${code ?? 'unknown'}).`,
    { ...where, retryable: true, remedy: "Contact the server's operator." },
  )
}

/** Names the server that cannot be reached; `undefined` for any other error. */
function unreachableError(
  thrown: unknown,
  server: string,
  { provider, resource, issuer }: ErrorContext,
): CredentialError | undefined {
  const where = {
    provider,
    resource,
    retryable: true,
    remedy: 'Check the network and the address.',
  }
  const cause = thrown instanceof ClientError ? (thrown as { cause?: unknown }).cause : thrown
  if (cause instanceof TypeError && neverSent(cause)) {
    const { code } = cause.cause as { code: string }
    return new CredentialError(
      'network',
      `${provider}: ${server} cannot be reached (${code}).`,
      where,
    )
  }
  // After discovery, it is not known what became of a request that was not answered.
  if (issuer !== undefined || (thrown as { name?: unknown } | null)?.name !== 'TimeoutError') {
    return undefined
  }
  return new CredentialError('timeout', `${provider}: ${server} did not answer in time.`, where)
}

/** Maps an answer that says nothing but its status. */
export function toResponseError(
  response: Response,
  context: ErrorContext,
  now: number,
): CredentialError {
  const server = context.issuer === undefined ? 'the authorization server' : label(context.issuer)
  return responseError(context, server, { code: '', description: undefined }, response, now)
}

function responseError(
  context: ErrorContext,
  server: string,
  { code, description }: { readonly code: string; readonly description: string | undefined },
  { status, headers }: Response,
  now: number,
): CredentialError {
  const { provider, resource, interactive } = context
  const retryAfter = parseRetryAfter(headers.get('Retry-After'), now)
  const detail = description === undefined ? '' : `: ${cleanText(description)}`
  const said = `${provider}: ${server} answered ${status}${code === '' ? '' : ` ${code}`}${detail}.`
  const where: CredentialErrorOptions = { provider, resource, status }
  if (status === 429 || status === 408 || status >= 500 || passing.has(code)) {
    const kind = status === 429 ? 'rate_limited' : 'server_error'
    const wait = retryAfter === undefined ? {} : { retryAfter }
    return new CredentialError(kind, said, { ...where, ...wait, retryable: true })
  }
  if (refusedGrant(code, status)) {
    if (interactive) {
      return new LoginRequiredError('grant_rejected', said, { ...where, remedy: 'Log in again.' })
    }
    const remedy = 'The grant has expired or is invalid; supply a new one.'
    return new CredentialError(code === '' ? 'invalid_grant' : code, said, { ...where, remedy })
  }
  // A wrong secret is answered with a bare 401 or 403 by more than one large server.
  const known =
    code !== '' ? code : status === 401 || status === 403 ? 'invalid_client' : 'server_error'
  const remedy = remedies[known]
  return new CredentialError(known, said, { ...where, ...(remedy === undefined ? {} : { remedy }) })
}

/** Some servers answer an invalid refresh token with a 400 without a code. */
function refusedGrant(code: string, status: number): boolean {
  return invalidGrantCodes.has(code) || (status === 400 && code === '')
}

/** The server's code, if it has the form of one (RFC 6749, section 5.2); otherwise empty. */
function registeredCode(error: unknown): string {
  return typeof error === 'string' && /^[a-z][a-z0-9_.:/-]{0,63}$/.test(error) ? error : ''
}

function neverSent(error: TypeError): boolean {
  const code = (error.cause as { code?: unknown } | undefined)?.code
  return (
    typeof code === 'string' &&
    /^(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|UNABLE_TO_.*|SELF_SIGNED_.*|DEPTH_ZERO_.*|ERR_TLS_CERT_.*)$/.test(
      code,
    )
  )
}

function label(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : 'the authorization server'
}
