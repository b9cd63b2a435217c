/**
 * Explains why no connection came about, from what was seen on the way. Nothing is sent here.
 *
 * @module
 */
import { CredentialError } from '../errors.ts'
import { commandArgument, resourceLabel } from '../labels.ts'
import { doctorStep } from '../transport/final-refusal.ts'
import { forbidden, unauthorized } from './refused-credential.ts'
import type { AuthorizationFinding, Explanation, SeenAnswer, Sighting } from './sighting.ts'
import { unreachable } from './unreachable.ts'

/** The statuses that say that a transport is not the one that the server speaks. */
export const otherTransport: ReadonlySet<number> = new Set([400, 404, 405])

/**
 * Makes the error that a person reads when no connection came about. The error of the SDK is its `cause`; that
 * is not printed with it, because it may quote the server's answer.
 *
 * @returns `undefined` when the SDK's error already says what is wrong.
 */
export function explainFailure(
  sighting: Sighting,
  finding: AuthorizationFinding,
): CredentialError | undefined {
  const explanation = explanationOf(sighting, finding)
  if (explanation === undefined) return undefined
  const { resource, provider, error } = sighting
  const { code, text, step, ...options } = explanation
  const explained = new CredentialError(code, text, {
    ...options,
    resource,
    provider: provider.name,
    remedy: `${step}. ${doctorStep(commandArgument(resource))}`,
  })
  // An accessor, so that printing the error does not print what a server may have repeated of the request.
  Object.defineProperty(explained, 'cause', { get: () => error, configurable: true })
  return explained
}

/** The answer that decided; `undefined`: there was none, or the network failed afterwards. */
export function decisiveAnswer({ streamable, sse, failure }: Sighting): SeenAnswer | undefined {
  if (failure !== undefined) return undefined
  const isNeither =
    sse !== undefined && sse.method === 'GET' && (otherTransport.has(sse.status) || isPage(sse))
  return isNeither ? (streamable ?? sse) : (sse ?? streamable)
}

function explanationOf(sighting: Sighting, finding: AuthorizationFinding): Explanation | undefined {
  const { resource, failure, error, pending } = sighting
  if (failure !== undefined) return unreachable(resource, failure)
  const answer = decisiveAnswer(sighting)
  if (pending && isTimeout(error)) return unanswered(resource)
  if (answer === undefined) return undefined
  const { status } = answer
  if (status === 401) return { status, ...unauthorized(sighting, answer, finding) }
  if (status === 403) return { status, ...forbidden(sighting, answer) }
  if (status >= 300 && status < 400) return { status, ...redirected(resource, answer) }
  if (status === 429 || status >= 500) return { status, ...busy(resource, answer) }
  const other = notMcpServer(sighting, answer)
  if (other !== undefined) return { status, ...other }
  return status < 400 ? undefined : { status, ...requestRefused(resource, answer) }
}

function redirected(resource: URL, { status, location }: SeenAnswer): Explanation {
  const target = location === undefined ? 'an address that is none' : resourceLabel(location)
  const isSameServer = location?.host === resource.host
  const mayBeLogin = !isSameServer || /log-?in|sign-?in|auth|sso/i.test(location?.pathname ?? '')
  return {
    code: 'redirect_refused',
    text: `${resourceLabel(resource)} does not answer itself: it redirects (${status}) to ${target}${mayBeLogin ? ', which may be a login page for browsers' : ''}.`,
    step: mayBeLogin
      ? "Use the final URL of the MCP server; if that is a login page, ask the server's operator how programs get in"
      : 'Use that URL',
  }
}

function busy(resource: URL, { status, contentType, retryAfter }: SeenAnswer): Explanation {
  const wait = retryAfter === undefined ? '' : `, and asks to wait ${Math.ceil(retryAfter)} s`
  return {
    code: status === 429 ? 'rate_limited' : 'server_error',
    text: `${resourceLabel(resource)} is busy or broken: it answered ${status}${typeLabel(contentType)}${wait}.`,
    step: retryAfter === undefined ? 'Try again later' : `Try again in ${Math.ceil(retryAfter)} s`,
    retryable: true,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}

/** The address belongs to something else; `undefined`: it does not look like that. */
function notMcpServer(sighting: Sighting, answer: SeenAnswer): Explanation | undefined {
  const { streamable, sse } = sighting
  const label = resourceLabel(sighting.resource)
  const step = 'Check the path: many servers have theirs at /mcp or /sse'
  const answers = [streamable, sse].filter((one) => one !== undefined).map(answerText)
  const isWrongPath = (one: SeenAnswer) => one.status === 404 || one.status === 405
  const isNoServer = [streamable, sse].some((one) => one !== undefined && isPage(one))
  if (isNoServer) {
    const text = `${label} is no MCP server, but shows a web page, perhaps a login page: it answered ${answers.join(' and ')}.`
    return { code: 'not_mcp_server', text, step: `${step}; a login page is for browsers alone` }
  }
  if (isWrongPath(answer)) {
    const text = `There is no MCP server at ${label}: it answered ${answers.join(' and ')}.`
    return { code: 'not_mcp_server', text, step }
  }
  if (answer.status >= 300) return undefined
  const problem = contentProblem(answer, sighting.error)
  if (problem === undefined) return undefined
  const text = `${label} is no MCP server: it answered ${answer.method} with ${answer.status} and ${problem}.`
  return { code: 'not_mcp_server', text, step }
}

/** What no MCP server sends as a good answer; `undefined`: it may be one. */
function contentProblem({ contentType, status }: SeenAnswer, error: unknown): string | undefined {
  const isJson = contentType.includes('application/json')
  if (isJson) return isUnreadable(error) ? 'JSON that is no JSON-RPC message' : undefined
  if (contentType.includes('text/event-stream') || status === 202) return undefined
  const type = mediaType(contentType)
  return type === undefined ? 'no content type' : `${type}, which is neither JSON nor a stream`
}

function requestRefused(resource: URL, { method, status, contentType }: SeenAnswer): Explanation {
  return {
    code: 'request_refused',
    text: `${resourceLabel(resource)} refused the first message: it answered ${method} with ${status}${typeLabel(contentType)}.`,
    step: "Read the server's own words in the `cause` of this error",
  }
}

function unanswered(resource: URL): Explanation {
  return {
    code: 'timeout',
    text: `${resourceLabel(resource)} accepted the connection, but did not answer in time.`,
    step: 'Try again later',
    retryable: true,
  }
}

function answerText({ method, status, contentType }: SeenAnswer): string {
  return `${method} with ${status}${typeLabel(contentType)}`
}

function isPage({ status, contentType }: SeenAnswer): boolean {
  return status < 300 && /^(?:text\/html|application\/xhtml\+xml)/i.test(contentType)
}

/** The type in brackets, where it is one: a server may have written anything. */
function typeLabel(contentType: string): string {
  const type = mediaType(contentType)
  return type === undefined ? '' : ` (${type})`
}

function mediaType(contentType: string): string | undefined {
  return /^[a-z]{1,20}\/[a-z0-9.+-]{1,40}(?=\s*(?:;|$))/i.exec(contentType)?.[0].toLowerCase()
}

/**
 * The SDK could not parse a message: it is no JSON, or no JSON-RPC. The version negotiation of 2.x wraps the
 * parser's error.
 */
function isUnreadable(error: unknown): boolean {
  const { cause, data } = (error ?? {}) as { cause?: unknown; data?: { cause?: unknown } | null }
  return [error, cause, data?.cause].some((one) => {
    const { name, issues } = (one ?? {}) as { name?: unknown; issues?: unknown }
    return name === 'SyntaxError' || name === 'ZodError' || Array.isArray(issues)
  })
}

/** The SDK gave a request up: 1.x by a JSON-RPC code of its own, 2.x by a name. */
function isTimeout(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return code === -32001 || code === 'REQUEST_TIMEOUT'
}
