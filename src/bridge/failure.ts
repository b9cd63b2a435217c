/**
 * What a client is told when its request could not be answered.
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
import { isBlockedPort, wasNotSent } from './unsent.ts'
import { ContentError, RefusalError, RevisionError, SessionLostError } from './wire.ts'

/** The error of a JSON-RPC response. */
export interface Failure {
  readonly code: number
  readonly message: string
  readonly data?: JsonObject
}

/** JSON-RPC 2.0, section 5.1: reserved for what servers define. */
const serverError = -32_000
const parseErrorCode = -32_700

/** The text was no JSON. */
export const parseFailure: Failure = {
  code: parseErrorCode,
  message: 'Parse error: the message is not valid JSON.',
}

/** The message is longer than the bridge takes. */
export const lengthFailure: Failure = {
  code: parseErrorCode,
  message: 'Parse error: the message is too long.',
}

/** JSON-RPC 2.0, section 5.1. */
const invalidRequest = -32_600

/** Another request with the same identifier is under way. */
export const idInUseFailure: Failure = {
  code: invalidRequest,
  message:
    'Invalid request: a request with this id is under way. Use another id, and no integer beyond 2^53.',
}

/** The server took a request, and its answer can no longer arrive. */
export class AnswerLostError extends Error {
  override readonly name = 'AnswerLostError'
}

/** The bridge was closed before the answer arrived. */
export class BridgeClosedError extends Error {
  override readonly name = 'BridgeClosedError'
}

/** What is known of a request besides the error. */
export interface FailedRequest {
  /** The server may have processed it, and it does harm when it is processed twice. */
  readonly mayHaveActed: boolean
  /** Whose login is required. Default: nobody is named. */
  readonly account?: string | undefined
}

/** Says why a request was not answered, where, and what to do. No secret and no text of the server is in it. */
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

/** The text of an error, with the command to type: whoever reads it uses no library. */
function withCommand(
  { message, remedy = '', reason, scope }: LoginRequiredError,
  url: URL,
  account: string | undefined,
): { readonly message: string; readonly remedy: string } {
  if (remedy.includes('npx mcp-credentials') || reason === 'login_pending')
    return { message, remedy }
  // A server may have written anything, and this is meant to be typed.
  const isPlain = reason === 'step_up' && scope !== undefined && /^[\w:./ -]+$/.test(scope)
  const scopes = isPlain ? ` --scope '${scope}'` : ''
  const isWord = account !== undefined && /^[\w@%+=:,./-]+$/.test(account)
  const who = isWord ? ` --account ${account}` : ''
  const command = `Run \`npx mcp-credentials login ${commandArgument(url)}${scopes}${who}\`.`
  // What else the provider knows says nothing about the scopes.
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
  const doctor = `Run \`npx mcp-credentials doctor ${commandArgument(url)}\` to see why.`
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
  if (error instanceof AnswerLostError) {
    return {
      code: 'outcome_unknown',
      problem: `The connection to ${server} was lost before the answer arrived; it is not known whether the request was processed.`,
      remedy: 'Check its effect before you repeat it.',
    }
  }
  if (error instanceof BridgeClosedError) {
    return {
      code: 'closed',
      problem: `The connection to ${server} was closed before the answer arrived.`,
      remedy: 'Start the proxy again.',
    }
  }
  if (isBlockedPort(error)) {
    return {
      code: 'network',
      problem: `${server} cannot be reached: its port belongs to another protocol, and fetch refuses it.`,
      remedy: 'Correct the port in the URL, or let the server listen at another one.',
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

/** Says what is wrong with an answer; `undefined`: that is not what the error is about. */
function describeUnreadable(
  error: unknown,
  server: string,
  doctor: string,
): Description | undefined {
  if (error instanceof ContentError) {
    return {
      code: 'invalid_response',
      problem: `${server} answered with something that is no MCP message.`,
      remedy: `Check that this is the URL of an MCP server. ${doctor}`,
    }
  }
  if (error instanceof RevisionError) {
    return {
      code: 'invalid_response',
      problem: `${server} agreed on a protocol version that is no date such as 2025-11-25.`,
      remedy: `Check that this is the URL of an MCP server. ${doctor}`,
    }
  }
  if (error instanceof MessageTooLongError) {
    return {
      code: 'invalid_response',
      problem: `${server} answered with a message that ${error.problem}; the request may have been processed.`,
      remedy: 'Ask for less at once.',
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
      problem: `The MCP server ${server} redirects (HTTP ${status})${to}, where the credential must not follow.`,
      remedy: `Use the final URL of the MCP server. ${doctor}`,
    }
  }
  const isPassing = status >= 500 || status === 429 || status === 408
  if (isPassing && mayHaveActed) {
    return {
      code: 'server_error',
      status,
      problem: `The MCP server ${server} answered with HTTP ${status}; it is not known whether the request was processed.`,
      remedy: 'Check its effect before you repeat it.',
    }
  }
  return {
    ...about,
    code: isPassing ? 'server_error' : 'unsupported_server',
    problem: `The MCP server ${server} answered with HTTP ${status}.`,
    remedy: isPassing ? 'Try again later.' : doctor,
    retryable: isPassing,
  }
}
