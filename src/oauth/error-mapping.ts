/**
 * Turns what openid-client throws into errors of ours.
 *
 * Its errors hold the raw responses of servers, tokens included, so none of them is passed on: only a registered
 * code and a status are, and what the server wrote in a property of its own.
 *
 * @module
 */
import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client'
import {
  CredentialError,
  type CredentialErrorOptions,
  isCredentialError,
  LoginRequiredError,
} from '../errors.ts'
import { EndpointError, errorKind, registeredCode } from './endpoint-answer.ts'

/** Where an error happened. */
export interface ErrorContext {
  readonly provider: string
  readonly resource: URL
  /** The issuer, as far as it is known. */
  readonly issuer: string | undefined
  /** A grant that the server refuses requires user interaction. */
  readonly interactive: boolean
  /** What to do when the server refuses the grant. */
  readonly refusedRemedy: string
}

const contactOperator = "Contact the server's operator."
const remedies: Readonly<Record<string, string>> = {
  invalid_client:
    'Check the client id, its secret or key, and how the server wants clients to authenticate; for an assertion also its `audience`.',
  // Some servers answer so to a wrong secret.
  unauthorized_client:
    'Allow this grant type for the client at the authorization server, and check its secret.',
  unsupported_grant_type: 'The authorization server does not offer this grant; choose another.',
  invalid_scope: 'Ask for scopes that the server lists.',
  invalid_target: 'The server does not know this resource; set the option `resource`.',
  invalid_dpop_proof: 'Set `dpop: true`.',
  use_dpop_nonce: 'Set `dpop: true`.',
  invalid_request: 'Compare the parameters with what the server expects.',
}
/** Where the request carried a proof already. */
const provenRemedies: Readonly<Record<string, string>> = {
  invalid_dpop_proof: 'Check the clock of this machine and the key of `dpop`.',
  use_dpop_nonce:
    "The server did not accept a proof with the nonce that it sent, or sent none. Contact the server's operator.",
}

/** The error answer beneath what was thrown; `undefined`: it is something else. */
export function endpointErrorOf(thrown: unknown): EndpointError | undefined {
  if (thrown instanceof EndpointError) return thrown
  if (thrown instanceof ResponseBodyError) {
    // Only codes that are part of a flow reach openid-client, which may have no use for them.
    const { status } = thrown
    const code = registeredCode(thrown.error)
    return new EndpointError(errorKind('token', status, code), { status, code })
  }
  const cause = thrown instanceof ClientError ? (thrown as { cause?: unknown }).cause : undefined
  return cause instanceof EndpointError ? cause : undefined
}

/** Whether a server said that the grant which was sent is invalid. */
export function isGrantRefused(error: unknown): boolean {
  return endpointErrorOf(error)?.kind === 'grant_refused'
}

/** Whether it is not known if the server acted on the request: its response was lost. */
export function isOutcomeUnknown(error: unknown): boolean {
  if (endpointErrorOf(error) !== undefined || isCredentialError(error)) return false
  if (error instanceof AuthorizationResponseError) return false
  const cause = error instanceof ClientError ? (error as { cause?: unknown }).cause : error
  if (cause instanceof TypeError) return !neverSent(cause)
  return (error as { code?: unknown } | null)?.code === 'OAUTH_TIMEOUT'
}

/** Whether the same request may succeed in a moment: there was no response, or the server is busy. */
export function isPassing(error: unknown): boolean {
  return isOutcomeUnknown(error) || endpointErrorOf(error)?.kind === 'busy'
}

/** Seconds for which a server asks; `undefined`: it does not. */
export function retryAfterOf(error: unknown): number | undefined {
  return endpointErrorOf(error)?.details.retryAfter
}

/** Whether the server does not know the client, or not with this secret. */
export function isClientRefused(error: unknown): boolean {
  return endpointErrorOf(error)?.kind === 'client_refused'
}

/** Whether the client is refused by the server itself: a bare 403 may come from a firewall before it. */
export function isClientUnknown(error: unknown): boolean {
  const answer = endpointErrorOf(error)
  if (answer?.kind !== 'client_refused') return false
  return answer.details.code === 'invalid_client' || answer.details.status === 401
}

/** Maps any thrown value. Errors that are not about OAuth are left to the manager. */
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
    return new CredentialError('timeout', `${provider}: ${server} did not answer in time.`, {
      ...where,
      retryable: true,
    })
  }
  // Where the library wraps what fetch threw, the manager knows how to read it.
  if (code === undefined && cause instanceof Error) return cause
  return new CredentialError(
    'invalid_response',
    `${provider}: the response of ${server} was not valid OAuth (${code ?? 'unknown'}).`,
    { ...where, retryable: true, remedy: contactOperator },
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

/** Maps an error that the browser brought back (RFC 6749, section 4.1.2.1). */
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
    const said = `${provider}: ${server} cannot log anybody in at the moment${cause}.`
    return new CredentialError('server_error', said, { ...where, retryable: true })
  }
  const said = `${provider}: ${server} did not authorize the client${cause}.`
  const remedy = 'Log in again and agree to what the server asks.'
  return new LoginRequiredError('grant_rejected', said, { ...where, remedy })
}

/** Maps an error answer of an endpoint. */
export function toEndpointError(
  { kind, details }: EndpointError,
  context: ErrorContext,
): CredentialError {
  const { provider, resource, interactive, issuer, refusedRemedy: remedy } = context
  const { status, code, serverDescription, retryAfter, problem = code } = details
  const known = issuer === undefined ? 'the authorization server' : label(issuer)
  const server = details.host ?? known
  const said = `${provider}: ${server} answered ${status}${problem === '' ? '' : ` ${problem}`}.`
  const where: CredentialErrorOptions = { provider, resource, status, serverDescription }
  switch (kind) {
    case 'busy': {
      const busyCode = status === 429 ? 'rate_limited' : 'server_error'
      const wait = retryAfter === undefined ? {} : { retryAfter }
      const help =
        details.remedy === undefined ? {} : { remedy: pageRemedy(details.remedy, context) }
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

/** A page may also be how a server refuses a grant, which only the user can know. */
function pageRemedy(remedy: string, { interactive }: ErrorContext): string {
  return interactive ? `${remedy} If it stays so, log out and log in again.` : remedy
}

function refusedRequest(
  code: string,
  said: string,
  where: CredentialErrorOptions,
  remedy = remedies[code],
): CredentialError {
  const missing = where.status === 404 || where.status === 405 || where.status === 410
  const other = missing ? 'Check the address of the endpoint.' : contactOperator
  return new CredentialError(code, said, { ...where, remedy: remedy ?? other })
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
