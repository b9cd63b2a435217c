/**
 * Describes why a request of a client failed.
 *
 * @module
 */
import {
  describeThrown,
  isCredentialError,
  type LoginRequiredError,
  systemErrorCode,
} from '../errors.ts'
import { commandArgument, resourceLabel } from '../labels.ts'
import { type JsonObject, MessageTooLongError } from './message.ts'
import { isBlockedPort, wasNotSent } from './not-sent.ts'
import { ContentError, RefusalError, RevisionError, SessionLostError } from './wire.ts'

/** The error of a JSON-RPC response. */
export interface Failure {
  readonly code: number
  readonly message: string
  readonly data?: JsonObject
}

/** JSON-RPC 2.0, section 5.1: reserved for errors that servers define. */
const serverError = -32_000
const parseErrorCode = -32_700

/** The text is not JSON. */
export const parseFailure: Failure = {
  code: parseErrorCode,
  message: 'Parse error: the message is not valid JSON.',
}

/** The message exceeds the limit of the bridge. */
export const lengthFailure: Failure = {
  code: parseErrorCode,
  message: 'Parse error: the message is too long.',
}

/** JSON-RPC 2.0, section 5.1. */
const invalidRequest = -32_600

/** Another request with the same ID is pending. */
export const idInUseFailure: Failure = {
  code: invalidRequest,
  message:
    'Invalid request: a request with this id is pending. Use another id, and no integer beyond 2^53.',
}

/** The server accepted a request, and its response was lost. */
export class ResponseLostError extends Error {
  override readonly name = 'AnswerLostError'
}

/** The bridge was closed before the response arrived. */
export class BridgeClosedError extends Error {
  override readonly name = 'BridgeClosedError'
}

/** Properties of the failed request. */
export interface FailedRequest {
  /** Whether the server may have processed it, and processing it twice may cause damage. */
  readonly mayHaveActed: boolean
  /** The account that must log in. Default: the command contains none. */
  readonly account?: string | undefined
}

/**
 * Describes why a request failed, at which server, and what to do. The description contains no secret and
 * no text of the server.
 */
export function failureOf(
  error: unknown,
  url: URL,
  request: FailedRequest = { mayHaveActed: true },
): Failure {
  const server = resourceLabel(url)
  if (isCredentialError(error)) {
    const { code, retryable, retryAfter, status } = error
    const { message, remedy } = isCredentialError(error, 'login_required')
      ? withCommand(error, url, request.account)
      : error
    const more = { retryAfter, remedy, status }
    return {
      code: serverError,
      message,
      data: { code, server, retryable, ...(stated(more) as JsonObject) },
    }
  }
  const { code, problem, remedy, retryable = false, ...more } = describe(error, url, request)
  return {
    code: serverError,
    message: `${problem} ${remedy}`,
    data: { code, server, retryable, remedy, ...(stated(more) as JsonObject) },
  }
}

/** The message of an error with a command, because the user of the client does not use the library. */
function withCommand(
  { message, remedy = '', reason, scope }: LoginRequiredError,
  url: URL,
  account: string | undefined,
): { readonly message: string; readonly remedy: string } {
  if (remedy.includes('npx mcp-credentials') || reason === 'login_pending')
    return { message, remedy }
  // The server wrote the scopes, and the user copies them into a shell.
  const isPlain = reason === 'step_up' && scope !== undefined && /^[\w:./ -]+$/.test(scope)
  const scopes = isPlain ? ` --scope '${scope}'` : ''
  const isWord = account !== undefined && /^[\w@%+=:,./-]+$/.test(account)
  const who = isWord ? ` --account ${account}` : ''
  const command = `Run \`npx mcp-credentials login ${commandArgument(url)}${scopes}${who}\`.`
  // The provider's own remedy does not mention the scopes.
  if (!isPlain) return { message: `${message} ${command}`, remedy: `${remedy} ${command}`.trim() }
  const problem = message.endsWith(remedy) ? message.slice(0, -remedy.length || undefined) : message
  return { message: `${problem.trim()} ${command}`, remedy: command }
}

function stated(members: object): object {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

interface Description {
  readonly code: string
  readonly problem: string
  readonly remedy: string
  readonly retryable?: boolean
  readonly status?: number
  readonly retryAfter?: number | undefined
}

function describe(error: unknown, url: URL, { mayHaveActed }: FailedRequest): Description {
  const server = resourceLabel(url)
  const doctor = `Run \`npx mcp-credentials doctor ${commandArgument(url)}\` for details.`
  if (error instanceof RefusalError) return describeRefusal(error, server, doctor, mayHaveActed)
  if (error instanceof SessionLostError) {
    return {
      code: 'session_lost',
      problem: `The MCP server ${server} has ended the session.`,
      remedy: 'Connect again.',
      retryable: true,
    }
  }
  const unreadable = describeUnreadable(error, server, doctor)
  if (unreadable !== undefined) return unreadable
  if (error instanceof ResponseLostError) {
    return {
      code: 'outcome_unknown',
      problem: `The connection to ${server} was lost before the response arrived; it is not known whether the request was processed.`,
      remedy: 'Check its effect before you repeat it.',
    }
  }
  if (error instanceof BridgeClosedError) {
    return {
      code: 'closed',
      problem: `The connection to ${server} was closed before the response arrived.`,
      remedy: 'Start the proxy again.',
    }
  }
  if (isBlockedPort(error)) {
    return {
      code: 'network',
      problem: `${server} cannot be reached: its port belongs to another protocol, and fetch blocks it.`,
      remedy: 'Correct the port in the URL, or configure another port for the server.',
    }
  }
  const isTimeout = describeThrown(error).startsWith('TimeoutError')
  if (wasNotSent(error) || (isTimeout && !mayHaveActed)) {
    return {
      code: 'network',
      problem: `The MCP server ${server} cannot be reached (${systemErrorCode(error) ?? 'timeout'}).`,
      remedy: 'Check the network and whether the server is running, then try again.',
      retryable: true,
    }
  }
  return {
    code: 'outcome_unknown',
    problem: `The request to ${server} failed (${describeThrown(error)}); it is not known whether it was processed.`,
    remedy: 'Check its effect before you repeat it.',
  }
}

/** Describes an invalid response; `undefined`: the error has another cause. */
function describeUnreadable(
  error: unknown,
  server: string,
  doctor: string,
): Description | undefined {
  if (error instanceof ContentError) {
    return {
      code: 'invalid_response',
      problem: `${server} sent a response that is not an MCP message.`,
      remedy: `Check that this is the URL of an MCP server. ${doctor}`,
    }
  }
  if (error instanceof RevisionError) {
    return {
      code: 'invalid_response',
      problem: `${server} responded with a protocol version that is not a date such as 2025-11-25.`,
      remedy: `Check that this is the URL of an MCP server. ${doctor}`,
    }
  }
  if (error instanceof MessageTooLongError) {
    return {
      code: 'invalid_response',
      problem: `${server} sent a message that ${error.problem}; the request may have been processed.`,
      remedy: 'Request less data at once.',
    }
  }
  return undefined
}

function describeRefusal(
  { status, retryAfter, location = '' }: RefusalError,
  server: string,
  doctor: string,
  mayHaveActed: boolean,
): Description {
  const about = { status, retryAfter }
  if (status === 401 || status === 403) {
    return {
      ...about,
      code: 'access_denied',
      problem: `The MCP server ${server} refuses the credential (HTTP ${status}).`,
      remedy: doctor,
    }
  }
  if (status >= 300 && status < 400) {
    const to = URL.canParse(location) ? ` to ${resourceLabel(location)}` : ''
    return {
      ...about,
      code: 'redirect_refused',
      problem: `The MCP server ${server} redirects (HTTP ${status})${to}; credentials do not follow redirects.`,
      remedy: `Use the final URL of the MCP server. ${doctor}`,
    }
  }
  const isPassing = status >= 500 || status === 429 || status === 408
  if (isPassing && mayHaveActed) {
    return {
      code: 'server_error',
      status,
      problem: `The MCP server ${server} responded with HTTP ${status}; it is not known whether the request was processed.`,
      remedy: 'Check its effect before you repeat it.',
    }
  }
  return {
    ...about,
    code: isPassing ? 'server_error' : 'unsupported_server',
    problem: `The MCP server ${server} responded with HTTP ${status}.`,
    remedy: isPassing ? 'Try again later.' : doctor,
    retryable: isPassing,
  }
}
