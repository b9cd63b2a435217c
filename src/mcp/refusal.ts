/**
 * Explains why a connection failed, from the recorded responses. It sends no requests.
 *
 * @module
 */
import { CredentialError } from '../errors.ts'
import { commandArgument, resourceLabel } from '../labels.ts'
import { doctorStep } from '../transport/final-refusal.ts'
import type {
  AuthorizationFinding,
  Explanation,
  Observations,
  ObservedResponse,
} from './observations.ts'
import { forbidden, unauthorized } from './refused-credential.ts'
import { unreachable } from './unreachable.ts'

/** The statuses with which a server refuses a transport that it does not support. */
export const otherTransport: ReadonlySet<number> = new Set([400, 404, 405])

/**
 * Creates the error for a failed connection. The error of the SDK is its `cause`, which is not printed with
 * it, because it may quote the server's response.
 *
 * @returns `undefined`: the SDK's error is sufficient.
 */
export function explainFailure(
  observations: Observations,
  finding: AuthorizationFinding,
): CredentialError | undefined {
  const explanation = explanationOf(observations, finding)
  if (explanation === undefined) return undefined
  const { resource, provider, error } = observations
  const { code, text, step, ...options } = explanation
  const explained = new CredentialError(code, text, {
    ...options,
    resource,
    provider: provider.name,
    remedy: `${step}. ${doctorStep(commandArgument(resource))}`,
  })
  // With an accessor, printing the error does not print the cause, in which a server may repeat the request.
  Object.defineProperty(explained, 'cause', { get: () => error, configurable: true })
  return explained
}

/** The decisive response; `undefined`: there was none, or the network failed afterwards. */
export function decisiveAnswer({
  streamable,
  sse,
  failure,
}: Observations): ObservedResponse | undefined {
  if (failure !== undefined) return undefined
  const isNeither =
    sse !== undefined && sse.method === 'GET' && (otherTransport.has(sse.status) || isPage(sse))
  return isNeither ? (streamable ?? sse) : (sse ?? streamable)
}

function explanationOf(
  observations: Observations,
  finding: AuthorizationFinding,
): Explanation | undefined {
  const { resource, failure, error, pending } = observations
  if (failure !== undefined) return unreachable(resource, failure)
  const answer = decisiveAnswer(observations)
  if (pending && isTimeout(error)) return unanswered(resource)
  if (answer === undefined) return undefined
  const { status } = answer
  if (status === 401) return { status, ...unauthorized(observations, answer, finding) }
  if (status === 403) return { status, ...forbidden(observations, answer) }
  if (status >= 300 && status < 400) return { status, ...redirected(resource, answer) }
  if (status === 429 || status >= 500) return { status, ...busy(resource, answer) }
  const other = notMcpServer(observations, answer)
  if (other !== undefined) return { status, ...other }
  return status < 400 ? undefined : { status, ...requestRefused(resource, answer) }
}

function redirected(resource: URL, { status, location }: ObservedResponse): Explanation {
  const target = location === undefined ? 'a URL that cannot be shown' : resourceLabel(location)
  const isSameServer = location?.host === resource.host
  const mayBeLogin = !isSameServer || /log-?in|sign-?in|auth|sso/i.test(location?.pathname ?? '')
  return {
    code: 'redirect_refused',
    text: `${resourceLabel(resource)} redirects (${status}) to ${target}${mayBeLogin ? ', which may be a login page for browsers' : ''}; credentials do not follow redirects.`,
    step: mayBeLogin
      ? "Use the final URL of the MCP server; if that is a login page, ask the server's operator how programs can connect"
      : 'Use that URL',
  }
}

function busy(resource: URL, { status, contentType, retryAfter }: ObservedResponse): Explanation {
  const wait =
    retryAfter === undefined ? '' : `, and requests a delay of ${Math.ceil(retryAfter)} s`
  return {
    code: status === 429 ? 'rate_limited' : 'server_error',
    text: `${resourceLabel(resource)} is busy or has failed: it responded with ${status}${typeLabel(contentType)}${wait}.`,
    step: retryAfter === undefined ? 'Try again later' : `Try again in ${Math.ceil(retryAfter)} s`,
    retryable: true,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}

/** Explains that the URL is not that of an MCP server; `undefined`: there is no sign of that. */
function notMcpServer(
  observations: Observations,
  answer: ObservedResponse,
): Explanation | undefined {
  const { streamable, sse } = observations
  const label = resourceLabel(observations.resource)
  const step = 'Check the path: many servers use /mcp or /sse'
  const answers = [streamable, sse].filter((one) => one !== undefined).map(answerText)
  const isWrongPath = (one: ObservedResponse) => one.status === 404 || one.status === 405
  const isNoServer = [streamable, sse].some((one) => one !== undefined && isPage(one))
  if (isNoServer) {
    const text = `${label} is a web page, not an MCP server, and may be a login page: it responded to ${answers.join(' and to ')}.`
    return { code: 'not_mcp_server', text, step: `${step}; programs cannot use a login page` }
  }
  if (isWrongPath(answer)) {
    const text = `There is no MCP server at ${label}: it responded to ${answers.join(' and to ')}.`
    return { code: 'not_mcp_server', text, step }
  }
  if (answer.status >= 300) return undefined
  const problem = contentProblem(answer, observations.error)
  if (problem === undefined) return undefined
  const text = `${label} is not an MCP server: it responded to ${answer.method} with ${answer.status} and ${problem}.`
  return { code: 'not_mcp_server', text, step }
}

/** Why a successful response is not from an MCP server; `undefined`: it may be. */
function contentProblem(
  { contentType, status }: ObservedResponse,
  error: unknown,
): string | undefined {
  const isJson = contentType.includes('application/json')
  if (isJson) return isUnreadable(error) ? 'JSON that is not a JSON-RPC message' : undefined
  if (contentType.includes('text/event-stream') || status === 202) return undefined
  const type = mediaType(contentType)
  return type === undefined
    ? 'no content type'
    : `${type}, which is neither JSON nor an event stream`
}

function requestRefused(
  resource: URL,
  { method, status, contentType }: ObservedResponse,
): Explanation {
  return {
    code: 'request_refused',
    text: `${resourceLabel(resource)} refused the first message: it responded to ${method} with ${status}${typeLabel(contentType)}.`,
    step: "Read the server's error in the `cause` of this error",
  }
}

function unanswered(resource: URL): Explanation {
  return {
    code: 'timeout',
    text: `${resourceLabel(resource)} accepted the connection, but did not respond in time.`,
    step: 'Try again later',
    retryable: true,
  }
}

function answerText({ method, status, contentType }: ObservedResponse): string {
  return `${method} with ${status}${typeLabel(contentType)}`
}

function isPage({ status, contentType }: ObservedResponse): boolean {
  return status < 300 && /^(?:text\/html|application\/xhtml\+xml)/i.test(contentType)
}

/** The media type in parentheses, if it is valid: the header is untrusted. */
function typeLabel(contentType: string): string {
  const type = mediaType(contentType)
  return type === undefined ? '' : ` (${type})`
}

/** Only well-known types are shown: a server could repeat the credential as a type. */
const knownTypes =
  /^(?:text\/(?:html|plain|xml|css|javascript|event-stream)|application\/(?:json|problem\+json|xml|xhtml\+xml|octet-stream|javascript|grpc)|image\/(?:png|jpeg|svg\+xml))(?=\s*(?:;|$))/i

function mediaType(contentType: string): string | undefined {
  return contentType.trim() === ''
    ? undefined
    : (knownTypes.exec(contentType)?.[0].toLowerCase() ?? 'another media type')
}

/**
 * Whether the SDK could not parse a message as JSON-RPC. The version negotiation of 2.x wraps the parser's
 * error.
 */
function isUnreadable(error: unknown): boolean {
  const { cause, data } = (error ?? {}) as { cause?: unknown; data?: { cause?: unknown } | null }
  return [error, cause, data?.cause].some((one) => {
    const { name, issues } = (one ?? {}) as { name?: unknown; issues?: unknown }
    return name === 'SyntaxError' || name === 'ZodError' || Array.isArray(issues)
  })
}

/** Whether a request of the SDK timed out: 1.x uses a JSON-RPC code, 2.x a name. */
function isTimeout(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return code === -32001 || code === 'REQUEST_TIMEOUT'
}
