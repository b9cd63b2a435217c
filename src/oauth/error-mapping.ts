/**
 * Maps the errors of openid-client to errors of this library.
 *
 * Its errors contain the raw responses of servers, including tokens, so none of them is passed on: only a
 * registered code and a status, and the server's description in a separate property.
 *
 * @module
 */
import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client'
import {
  CredentialError,
  type CredentialErrorOptions,
  isCredentialError,
  LoginRequiredError,
  systemErrorCode,
} from '../errors.ts'
import { EndpointError, errorKind, registeredCode } from './endpoint-answer.ts'

/** Where an error happened. */
export interface ErrorContext {
  readonly provider: string
  readonly resource: URL
  /** The issuer, where it is known. */
  readonly issuer: string | undefined
  /** A grant that the server refuses requires user interaction. */
  readonly interactive: boolean
  /** What to do when the server refuses the grant. */
  readonly refusedRemedy: string
}

const contactOperator = "Contact the server's operator."
const remedies: Readonly<Record<string, string>> = {
  invalid_client:
    'Check the client ID, its secret or key, and the method of client authentication; for an assertion also its `audience`.',
  // Some servers respond so to a wrong secret.
  unauthorized_client:
    'Allow this grant type for the client at the authorization server, and check its secret.',
  unsupported_grant_type: 'The authorization server does not offer this grant; choose another.',
  invalid_scope: 'Request scopes that the server lists.',
  invalid_target: 'The server does not know this resource; set the option `resource`.',
  invalid_dpop_proof: 'Set `dpop: true`.',
  use_dpop_nonce: 'Set `dpop: true`.',
  invalid_request: 'Compare the parameters with what the server expects.',
}
/** The remedies when the request already carried a proof. */
const provenRemedies: Readonly<Record<string, string>> = {
  invalid_dpop_proof: 'Check the clock of this machine and the key of `dpop`.',
  use_dpop_nonce:
    "The server did not accept a proof with the nonce that it sent, or sent none. Contact the server's operator.",
}

/** Returns the error response that caused an error; `undefined`: another cause. */
export function endpointErrorOf(thrown: unknown): EndpointError | undefined {
  if (thrown instanceof EndpointError) return thrown
  if (thrown instanceof ResponseBodyError) {
    // Only codes that are part of a flow reach openid-client, which may not expect them.
    const { status } = thrown
    const code = registeredCode(thrown.error)
    return new EndpointError(errorKind('token', status, code), { status, code })
  }
  const cause = thrown instanceof ClientError ? (thrown as { cause?: unknown }).cause : undefined
  return cause instanceof EndpointError ? cause : undefined
}

/** Whether a server refused the grant as invalid. */
export function isGrantRefused(error: unknown): boolean {
  return endpointErrorOf(error)?.kind === 'grant_refused'
}

/** Whether the response was lost, so that it is not known whether the request succeeded. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (endpointErrorOf(error) !== undefined || isCredentialError(error)) return false
  if (error instanceof AuthorizationResponseError) return false
  const cause = error instanceof ClientError ? (error as { cause?: unknown }).cause : error
  if (cause instanceof TypeError) return !neverSent(cause)
  return (error as { code?: unknown } | null)?.code === 'OAUTH_TIMEOUT'
}

/** Whether the same request may soon succeed: there was no response, or the server is busy. */
export function isPassing(error: unknown): boolean {
  return isOutcomeUnknown(error) || endpointErrorOf(error)?.kind === 'busy'
}

/** The server's `Retry-After` in seconds; `undefined`: none. */
export function retryAfterOf(error: unknown): number | undefined {
  return endpointErrorOf(error)?.details.retryAfter
}

/** Whether the server does not know the client, or not with this secret. */
export function isClientRefused(error: unknown): boolean {
  return endpointErrorOf(error)?.kind === 'client_refused'
}

/** Whether the server itself refused the client: a 403 without a code may come from a firewall. */
export function isClientUnknown(error: unknown): boolean {
  const answer = endpointErrorOf(error)
  if (answer?.kind !== 'client_refused') return false
  return answer.details.code === 'invalid_client' || answer.details.status === 401
}

/** Maps any thrown value. Errors that do not concern OAuth are left to the manager. */
export function toOAuthError(thrown: unknown, context: ErrorContext): unknown {
  if (isCredentialError(thrown)) return thrown
  const { provider, resource, issuer } = context
  const where: CredentialErrorOptions = { provider, resource }
  const server =
    issuer === undefined ? `${resource.host} or its authorization server` : label(issuer)
  const unreachable = unreachableError(thrown, server, context)
  if (unreachable !== undefined) return unreachable
  const answer = endpointErrorOf(thrown)
  if (answer !== undefined) return toEndpointError(answer, context)
  if (thrown instanceof AuthorizationResponseError) {
    return toAuthorizationError(thrown, server, context)
  }
  if (!(thrown instanceof ClientError)) return thrown
  const { code, cause } = thrown as { code?: string; cause?: unknown }
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT') {
    return new CredentialError('timeout', `${provider}: ${server} did not respond in time.`, {
      ...where,
      retryable: true,
    })
  }
  // The manager handles errors of `fetch` that openid-client has wrapped.
  if (code === undefined && cause instanceof Error) return cause
  return new CredentialError(
    'invalid_response',
    `${provider}: the response of ${server} was not valid OAuth (${code ?? 'unknown'}).`,
    { ...where, retryable: true, remedy: contactOperator },
  )
}

/** Maps an error for a server that cannot be reached; `undefined` for any other error. */
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
    const systemCode = systemErrorCode(cause.cause)
    return new CredentialError(
      'network',
      `${provider}: ${server} cannot be reached (${systemCode}).`,
      { ...where, systemCode },
    )
  }
  // After discovery, it is not known whether a request without a response succeeded.
  if (issuer !== undefined || (thrown as { name?: unknown } | null)?.name !== 'TimeoutError') {
    return undefined
  }
  return new CredentialError('timeout', `${provider}: ${server} did not respond in time.`, where)
}

/** Maps an error of the callback (RFC 6749, section 4.1.2.1). */
function toAuthorizationError(
  { error, error_description: description }: AuthorizationResponseError,
  server: string,
  { provider, resource }: ErrorContext,
): CredentialError {
  const code = registeredCode(error)
  const parts = [code === '' ? error : undefined, description]
  const serverDescription = parts.filter((part) => part !== undefined && part !== '').join(': ')
  const where = { provider, resource, serverDescription }
  const cause = code === '' ? '' : ` (${code})`
  if (errorKind('token', 400, code) === 'busy') {
    const said = `${provider}: ${server} is temporarily unable to log users in${cause}.`
    return new CredentialError('server_error', said, { ...where, retryable: true })
  }
  const said = `${provider}: ${server} did not authorize the client${cause}.`
  const isDeclined = code === '' || errorKind('token', 400, code) === 'grant_refused'
  const remedy = isDeclined
    ? 'Log in again and consent to the request.'
    : (remedies[code] ?? contactOperator)
  return new LoginRequiredError('grant_rejected', said, { ...where, remedy })
}

/** Maps an error response of an endpoint. */
export function toEndpointError(
  { kind, details }: EndpointError,
  context: ErrorContext,
): CredentialError {
  const { provider, resource, interactive, issuer, refusedRemedy: remedy } = context
  const { status, code, serverDescription, retryAfter, problem = code } = details
  const known = issuer === undefined ? 'the authorization server' : label(issuer)
  const server = details.host ?? known
  const said = `${provider}: ${server} responded with ${status}${problem === '' ? '' : ` ${problem}`}.`
  const where: CredentialErrorOptions = { provider, resource, status, serverDescription }
  switch (kind) {
    case 'busy': {
      const busyCode = status === 429 ? 'rate_limited' : 'server_error'
      const wait = retryAfter === undefined ? {} : { retryAfter }
      const help =
        details.remedy === undefined ? {} : { remedy: pageRemedy(details.remedy, context, status) }
      return new CredentialError(busyCode, said, { ...where, ...wait, ...help, retryable: true })
    }
    case 'grant_refused': {
      if (interactive) {
        return new LoginRequiredError('grant_rejected', said, { ...where, remedy })
      }
      return new CredentialError(code || 'invalid_grant', said, { ...where, remedy })
    }
    case 'client_refused':
      return refusedRequest('invalid_client', said, where)
    case 'request_refused': {
      const remedy = details.isProven === true ? provenRemedies[code] : undefined
      return refusedRequest(code || 'server_error', said, where, remedy)
    }
    case 'invalid': {
      const { remedy = contactOperator } = details
      return new CredentialError('invalid_response', said, { ...where, retryable: true, remedy })
    }
    default:
      return kind satisfies never
  }
}

/** A server may also refuse a grant or a client with a page, which cannot be detected. */
function pageRemedy(remedy: string, { interactive }: ErrorContext, status: number): string {
  if (interactive) return `${remedy} If the error persists, log out and log in again.`
  if (status !== 401 && status !== 403) return remedy
  return `${remedy} If the error persists, check the client ID, and its secret or key.`
}

function refusedRequest(
  code: string,
  said: string,
  where: CredentialErrorOptions,
  remedy = remedies[code],
): CredentialError {
  const missing = where.status === 404 || where.status === 405 || where.status === 410
  const other = missing ? 'Check the URL of the endpoint.' : contactOperator
  return new CredentialError(code, said, { ...where, remedy: remedy ?? other })
}

/** Whether an error of `fetch` shows that the server was not reached, so that nothing was sent. */
export function isNeverSent(error: unknown): boolean {
  return error instanceof TypeError && neverSent(error)
}

function neverSent(error: TypeError): boolean {
  const code = systemErrorCode(error.cause)
  return (
    typeof code === 'string' &&
    /^(?:BLOCKED_PORT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT|CERT_.*|UNABLE_TO_.*|SELF_SIGNED_.*|DEPTH_ZERO_.*|ERR_TLS_CERT_.*)$/.test(
      code,
    )
  )
}

function label(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : 'the authorization server'
}
