/**
 * Error classes: one base with a stable `code`, and a subclass only where a caller would branch. It is long because
 * public docstrings and their examples are most of it.
 *
 * @module
 */
import { cleanText, printable, resourceLabel } from './labels.ts'

const brand: unique symbol = Symbol.for('mcp-credentials.error')

// RFC 6749, section 3.3. A server may have written anything else.
const scopePattern = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

// The official SDK's version negotiation rewraps errors of `fetch`, unless they carry this symbol.
const seamEscape = Symbol.for('mcp.authSeamEscape')

/**
 * The stable reason of a {@link CredentialError}. The list is open: OAuth error codes of RFC 6749,
 * section 5.2, and of its extensions appear as they are (`invalid_client`, `invalid_scope`).
 *
 * When the connection to an MCP server fails: `unauthorized` (it refuses the credential with 401), `forbidden`
 * (403), `not_mcp_server` (there is none at this address), `request_refused` (another status from 400 to 499).
 *
 * @group Errors
 */
export type CredentialErrorCode =
  | 'acquire_failed'
  | 'closed'
  | 'configuration'
  | 'discovery'
  | 'forbidden'
  | 'invalid_claims'
  | 'invalid_credential'
  | 'invalid_response'
  | 'lock_timeout'
  | 'logged_out'
  | 'login_expired'
  | 'login_mismatch'
  | 'login_required'
  | 'login_state_invalid'
  | 'login_used'
  | 'network'
  | 'no_tenant'
  | 'not_fixed_headers'
  | 'not_mcp_server'
  | 'outcome_unknown'
  | 'private_address'
  | 'rate_limited'
  | 'redirect_refused'
  | 'refused_by_policy'
  | 'registration_failed'
  | 'request_refused'
  | 'secret_unavailable'
  | 'server_error'
  | 'store'
  | 'timeout'
  | 'unauthorized'
  | 'unsignable_body'
  | 'unsignable_request'
  | 'unsupported_server'
  | 'wrong_issuer'
  | 'wrong_origin'
  | (string & {})

/**
 * The options of a {@link CredentialError} besides its code and message.
 *
 * @group Errors
 */
export interface CredentialErrorOptions {
  /** Whether the same attempt may succeed later without intervention. Default `false`. */
  readonly retryable?: boolean
  /**
   * Seconds after which another attempt makes sense. A non-retryable error without this member is thrown
   * again for 60 seconds, unless the application calls `login()`.
   */
  readonly retryAfter?: number
  /** The MCP server; only its origin and path are kept, and path segments like tokens are shortened. */
  readonly resource?: string | URL
  /** The provider's name. */
  readonly provider?: string
  /** The key of the selection that it concerns, where a selector chose the provider. */
  readonly tenant?: string | undefined
  /** What to do about it: one imperative sentence, which becomes part of the message. */
  readonly remedy?: string
  /** The HTTP status of the response that caused it. */
  readonly status?: number
  /** The system error code of the cause, such as `ECONNREFUSED`. */
  readonly systemCode?: string | undefined
  /** What the server wrote about it; it is cleaned by {@link CredentialError}. Never pass what may repeat a secret. */
  readonly serverDescription?: string | undefined
  /** The underlying error. Never pass one that may quote a secret or a server's response. */
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
 * @group Errors
 */
export class CredentialError extends Error {
  /** The name of the class. */
  override readonly name: string = 'CredentialError'
  /** The stable reason; branch on this. */
  readonly code: CredentialErrorCode
  /** Whether the same attempt may succeed later without intervention. */
  readonly retryable: boolean
  /** Seconds after which another attempt makes sense. */
  declare readonly retryAfter: number | undefined
  /** The MCP server: origin and path, in which segments that look like tokens are shortened. */
  declare readonly resource: string | undefined
  /** The provider's name. */
  declare readonly provider: string | undefined
  /** The key of the selection that it concerns, where a selector chose the provider. */
  declare readonly tenant: string | undefined
  /** What to do about it, in one sentence. */
  declare readonly remedy: string | undefined
  /** The HTTP status of the response that caused it. */
  declare readonly status: number | undefined
  /** The system error code of the cause, such as `ECONNREFUSED`. */
  declare readonly systemCode: string | undefined
  /**
   * Untrusted: what the server wrote about the error, at most 200 characters without control characters and anything
   * shaped like a token. It is no part of the message, and must not reach a language model: it may be an attack.
   */
  declare readonly serverDescription: string | undefined

  constructor(code: CredentialErrorCode, message: string, options: CredentialErrorOptions = {}) {
    const { remedy } = options
    const text = remedy === undefined ? message : `${withFullStop(message)} ${remedy}`
    super(printable(text), options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    const { retryAfter, resource, provider, tenant, status, systemCode, serverDescription } =
      options
    const members = {
      retryAfter,
      resource: resource === undefined ? undefined : resourceLabel(resource),
      provider,
      tenant,
      remedy: remedy === undefined ? undefined : printable(remedy),
      status,
      systemCode,
      serverDescription: (serverDescription && cleanText(serverDescription)) || undefined,
    }
    // A member without a value is left out, because it would appear where the error is printed.
    const stated = Object.entries(members).filter(([, value]) => value !== undefined)
    Object.assign(this, Object.fromEntries(stated))
    Object.defineProperty(this, brand, { value: true })
    Object.defineProperty(this, seamEscape, { value: true })
  }
}

function withFullStop(sentence: string): string {
  return /[.!?…:]$/.test(sentence) ? sentence : `${sentence}.`
}

/**
 * An option is invalid. The message names the option and says what to write instead.
 *
 * @example
 * ```ts
 * import { ConfigurationError, custom } from 'mcp-credentials'
 *
 * export function vault(path: string) {
 *   if (path === '') throw new ConfigurationError('path', 'vault: `path` is empty; pass the path of the token.')
 *   return custom({ name: 'vault', acquire: async () => ({ apply() {} }) })
 * }
 * ```
 * @group Errors
 */
export class ConfigurationError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'ConfigurationError'
  /** The invalid option, such as `apiKey.value`. */
  readonly option: string

  constructor(option: string, message: string, options: CredentialErrorOptions = {}) {
    super('configuration', message, options)
    this.option = option
  }
}

/**
 * The user must log in: nothing is stored, or the stored login is no longer accepted.
 *
 * @example
 * ```ts
 * import { isCredentialError, withCredentials } from 'mcp-credentials'
 * import { savedLogin } from 'mcp-credentials/oauth'
 * import { defaultStore } from 'mcp-credentials/auto'
 *
 * const resource = 'https://mcp.example.com/mcp'
 * const { fetch } = withCredentials(savedLogin(), { resource, store: defaultStore() })
 * try {
 *   await fetch(resource)
 * } catch (error) {
 *   if (!isCredentialError(error, 'login_required')) throw error
 *   console.error(`Log in again (${error.reason}).`)
 * }
 * ```
 * @group Errors
 */
export class LoginRequiredError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'LoginRequiredError'
  /**
   * Why a person has to log in: nothing is stored (`no_credential`), the grant was refused
   * (`grant_rejected`), the server refuses a stored key, which no login replaces (`key_rejected`), another login is in
   * progress (`login_pending`), the answer to a renewal was lost (`rotation_lost`), a login was not completed
   * (`login_failed`), or further scopes are needed (`step_up`).
   */
  readonly reason:
    | 'no_credential'
    | 'grant_rejected'
    | 'key_rejected'
    | 'login_pending'
    | 'rotation_lost'
    | 'login_failed'
    | 'step_up'

  /** The scopes to request at the login, separated by spaces, where a server has named them. */
  declare readonly scope: string | undefined

  constructor(
    reason: LoginRequiredError['reason'],
    message: string,
    options: CredentialErrorOptions & { readonly scope?: string | undefined } = {},
  ) {
    super('login_required', message, options)
    this.reason = reason
    const { scope } = options
    if (scope !== undefined && scopePattern.test(scope)) Object.assign(this, { scope })
  }
}

/**
 * The options of a {@link DiscoveryError} besides its message.
 *
 * @group Errors
 */
export interface DiscoveryErrorOptions extends CredentialErrorOptions {
  /** Why the metadata cannot be used, where a caller would branch on it. */
  readonly reason?: DiscoveryError['reason']
}

/**
 * A server's metadata cannot be used: it is missing, contradicts itself, or points to an address to which no
 * credential may be sent.
 *
 * @example
 * ```ts
 * import { isCredentialError } from 'mcp-credentials'
 * import { discover } from 'mcp-credentials/oauth'
 *
 * try {
 *   await discover('https://mcp.example.com/mcp')
 * } catch (error) {
 *   if (!isCredentialError(error, 'discovery')) throw error
 *   console.error(error.message)
 * }
 * ```
 * @group Errors
 */
export class DiscoveryError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'DiscoveryError'
  /**
   * The server names no authorization server (`no_authorization_server`), or a URL is neither https nor on this
   * machine (`not_https`). `undefined`: another reason.
   */
  declare readonly reason: 'no_authorization_server' | 'not_https' | undefined

  constructor(message: string, options: DiscoveryErrorOptions = {}) {
    super('discovery', message, options)
    const { reason } = options
    if (reason !== undefined) Object.assign(this, { reason })
  }
}

/**
 * The options of a {@link StoreError} besides its operation and message.
 *
 * @group Errors
 */
export interface StoreErrorOptions extends CredentialErrorOptions {
  /** Why the operation failed, where a caller would branch on it. */
  readonly reason?: StoreError['reason']
}

/**
 * A store cannot be read, written or locked. What was stored is untouched.
 *
 * @example
 * ```ts
 * import { isCredentialError } from 'mcp-credentials'
 * import { keychainStore } from 'mcp-credentials/keychain'
 *
 * try {
 *   await keychainStore({ service: 'my-agent' }).list()
 * } catch (error) {
 *   if (!isCredentialError(error, 'store')) throw error
 *   if (error.reason === 'no_keychain') console.error('This machine has no keychain.')
 * }
 * ```
 * @group Errors
 */
export class StoreError extends CredentialError {
  /** The name of the class. */
  override readonly name = 'StoreError'
  /** The operation that failed. */
  readonly operation: 'open' | 'get' | 'set' | 'delete' | 'list' | 'lock'
  /**
   * The store works, but its record cannot be used (`unusable_record`): it is damaged, was written by a newer
   * version or for another client, or cannot be decrypted with the current keys. `login()` replaces such a record,
   * and `logout()` deletes it. This machine has no keychain, or the module for it cannot be loaded
   * (`no_keychain`). `undefined`: another reason.
   */
  declare readonly reason: 'unusable_record' | 'no_keychain' | undefined

  constructor(
    operation: StoreError['operation'],
    message: string,
    options: StoreErrorOptions = {},
  ) {
    super(operation === 'lock' ? 'lock_timeout' : 'store', message, options)
    this.operation = operation
    const { reason } = options
    if (reason !== undefined) Object.assign(this, { reason })
  }
}

/** An operation of a store. */
export type StoreOperation = StoreError['operation']

/**
 * Returns whether a value is a {@link CredentialError}, including one from another copy of this package. A
 * code whose errors have their own class narrows the value to that class.
 *
 * @param code - Only errors with this code. Default: any.
 *
 * @example
 * ```ts
 * import { authorizedFetch, bearer, env, isCredentialError } from 'mcp-credentials'
 *
 * const fetch = authorizedFetch(bearer(env('MCP_TOKEN')), { resource: 'https://mcp.example.com/mcp' })
 * try {
 *   await fetch('https://mcp.example.com/mcp')
 * } catch (error) {
 *   if (!isCredentialError(error)) throw error
 *   console.error(error.code, error.message)
 * }
 * ```
 * @group Errors
 */
export function isCredentialError(
  value: unknown,
  code: 'login_required',
): value is LoginRequiredError
export function isCredentialError(
  value: unknown,
  code: 'configuration',
): value is ConfigurationError
export function isCredentialError(
  value: unknown,
  code: 'store' | 'lock_timeout',
): value is StoreError
export function isCredentialError(value: unknown, code: 'discovery'): value is DiscoveryError
export function isCredentialError(
  value: unknown,
  code?: CredentialErrorCode,
): value is CredentialError
export function isCredentialError(value: unknown, code?: CredentialErrorCode): boolean {
  if (typeof value !== 'object' || value === null || !(brand in value)) return false
  return code === undefined || (value as { code?: unknown }).code === code
}

/**
 * Describes a value that foreign code threw by its class and system error code. Its message may quote a
 * secret or a server's response.
 *
 * @returns Such as `TypeError` or `Error, ECONNRESET`.
 */
export function describeThrown(thrown: unknown): string {
  const name = thrown instanceof Error ? thrown.name : typeof thrown
  const shown = /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : 'Error'
  const code = systemErrorCode(thrown)
  return code === undefined ? shown : `${shown}, ${code}`
}

/** The code of the system error that caused an error, such as `ECONNREFUSED`; `undefined`: none. */
export function systemErrorCode(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; depth < 4; depth += 1) {
    if (typeof error !== 'object' || error === null) return undefined
    const { code, cause, message } = error as Partial<Record<'code' | 'cause' | 'message', unknown>>
    // The Fetch standard blocks ports of other protocols, and Node gives that error no code.
    if (message === 'bad port') return 'BLOCKED_PORT'
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code)) return code
    error = cause
  }
  return undefined
}
