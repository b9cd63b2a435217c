/**
 * Error classes: one base with a stable `code`, and a subclass only where a caller would branch.
 *
 * @module
 */

const brand: unique symbol = Symbol.for('mcp-credentials.error')

// The official SDK's version negotiation rewraps errors of `fetch`, unless they carry this symbol.
const seamEscape = Symbol.for('mcp.authSeamEscape')

/**
 * The stable reason of a {@link CredentialError}. The list is open: OAuth error codes of RFC 6749,
 * section 5.2, and of its extensions appear as they are (`invalid_client`, `invalid_scope`).
 */
export type CredentialErrorCode =
  | 'acquire_failed'
  | 'closed'
  | 'configuration'
  | 'discovery'
  | 'invalid_claims'
  | 'invalid_credential'
  | 'invalid_response'
  | 'lock_timeout'
  | 'login_required'
  | 'network'
  | 'no_tenant'
  | 'outcome_unknown'
  | 'private_address'
  | 'rate_limited'
  | 'redirect_refused'
  | 'registration_failed'
  | 'secret_unavailable'
  | 'server_error'
  | 'store'
  | 'timeout'
  | 'unsignable_body'
  | 'unsignable_request'
  | 'unsupported_server'
  | 'wrong_origin'
  | (string & {})

/** What can be said about an error besides its code and message. */
export interface CredentialErrorOptions {
  /** Whether the same attempt may succeed later without anybody's help. Default `false`. */
  readonly retryable?: boolean
  /** Seconds after which another attempt makes sense. */
  readonly retryAfter?: number
  /** The MCP server; only its origin and path are kept. */
  readonly resource?: string | URL
  /** The provider's name. */
  readonly provider?: string
  /** The key of the credential that a selector chose, such as a tenant. */
  readonly tenant?: string | undefined
  /** How many attempts in a row have failed. */
  readonly attempt?: number
  /** What to do about it: one imperative sentence, which becomes part of the message. */
  readonly remedy?: string
  /** The HTTP status of the answer that caused it. */
  readonly status?: number
  /** The error beneath. Never pass one that may quote a secret or a server's response. */
  readonly cause?: unknown
}

/**
 * The base class of all errors of this library. Messages say what happened, where and what to do;
 * they never hold a secret, so they can be pasted into a public issue.
 *
 * @example
 * ```ts
 * import { isCredentialError, type TokenManager } from 'mcp-credentials'
 *
 * declare const manager: TokenManager
 * try {
 *   await manager.credential()
 * } catch (error) {
 *   if (isCredentialError(error, 'login_required')) console.error(error.message)
 * }
 * ```
 */
export class CredentialError extends Error {
  /** The name of the class. */
  override readonly name: string = 'CredentialError'
  /** The stable reason; branch on this. */
  readonly code: CredentialErrorCode
  /** Whether the same attempt may succeed later without anybody's help. */
  readonly retryable: boolean
  /** Seconds after which another attempt makes sense. */
  readonly retryAfter: number | undefined
  /** The MCP server: origin and path, without query or user information. */
  readonly resource: string | undefined
  /** The provider's name. */
  readonly provider: string | undefined
  /** The key of the credential that a selector chose, such as a tenant. */
  readonly tenant: string | undefined
  /** How many attempts in a row have failed. */
  readonly attempt: number | undefined
  /** What to do about it, in one sentence. */
  readonly remedy: string | undefined
  /** The HTTP status of the answer that caused it. */
  readonly status: number | undefined

  constructor(code: CredentialErrorCode, message: string, options: CredentialErrorOptions = {}) {
    const text = options.remedy === undefined ? message : `${message} ${options.remedy}`
    super(text, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.retryAfter = options.retryAfter
    this.resource = options.resource === undefined ? undefined : resourceLabel(options.resource)
    this.provider = options.provider
    this.tenant = options.tenant
    this.attempt = options.attempt
    this.remedy = options.remedy
    this.status = options.status
    Object.defineProperty(this, brand, { value: true })
    Object.defineProperty(this, seamEscape, { value: true })
  }
}

/** An option is wrong. The message names the option and says what to write instead. */
export class ConfigurationError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'ConfigurationError'
  /** The option at fault, such as `apiKey.value`. */
  readonly option: string

  constructor(option: string, message: string, options: CredentialErrorOptions = {}) {
    super('configuration', message, options)
    this.option = option
  }
}

/** Why a person has to log in. */
export type LoginRequiredReason =
  | 'no_credential'
  | 'grant_rejected'
  | 'login_pending'
  | 'rotation_lost'
  | 'step_up'

/** Only a person can help: nothing is stored, or what was stored is no longer accepted. */
export class LoginRequiredError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'LoginRequiredError'
  /** Why a person has to log in. */
  readonly reason: LoginRequiredReason

  constructor(reason: LoginRequiredReason, message: string, options: CredentialErrorOptions = {}) {
    super('login_required', message, options)
    this.reason = reason
  }
}

/**
 * A server's description of itself cannot be used: it is missing, contradicts itself, or points to
 * where no credential may go.
 */
export class DiscoveryError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'DiscoveryError'

  constructor(message: string, options: CredentialErrorOptions = {}) {
    super('discovery', message, options)
  }
}

/** A store cannot be read, written or locked. What was stored is untouched. */
export class StoreError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'StoreError'
  /** What was tried. */
  readonly operation: StoreOperation

  constructor(operation: StoreOperation, message: string, options: CredentialErrorOptions = {}) {
    super(operation === 'lock' ? 'lock_timeout' : 'store', message, options)
    this.operation = operation
  }
}

/** What can be done with a store. */
export type StoreOperation = 'open' | 'get' | 'set' | 'delete' | 'list' | 'lock'

/**
 * Says whether a value is a {@link CredentialError}, also one from another copy of this package.
 *
 * @param code - Only errors with this code.
 */
export function isCredentialError(
  value: unknown,
  code?: CredentialErrorCode,
): value is CredentialError {
  if (typeof value !== 'object' || value === null || !(brand in value)) return false
  return code === undefined || (value as { code?: unknown }).code === code
}

/** The origin and path of a URL: what may be shown of it. */
export function resourceLabel(resource: string | URL): string {
  const url = typeof resource === 'string' ? safeUrl(resource) : resource
  return url === undefined ? '<invalid URL>' : `${url.origin}${url.pathname}`
}

function safeUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/**
 * Makes foreign text fit to be shown: control characters and anything shaped like a token removed,
 * cut at 200 characters.
 */
export function cleanText(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
  const redacted = plain
    .replace(/:\/\/[^\s/@]*@/g, '://')
    .replace(/([?&][^=\s&#]+)=[^\s&#'"]+/g, '$1=<redacted>')
    .replace(/[A-Za-z0-9_\-+/=.~]{32,}/g, '<redacted>')
    .trim()
  return redacted.length > 200 ? `${redacted.slice(0, 199)}…` : redacted
}
