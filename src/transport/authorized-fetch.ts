/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A `fetch` that authenticates, for the `fetch` option of the official SDKs' transports.
 *
 * @module
 */
import type { Credential, CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import type { LogoutOptions, LogoutResult, TokenManager } from '../manager/token-manager.ts'
import { type AuthorizedFetchOptions, type BindingOptions, checkArguments } from './options.ts'
import { Router } from './router.ts'

/**
 * A `fetch` that authenticates, and the owner of the credentials that it sends. Its functions do not use `this`.
 *
 * @group Authenticated requests
 */
export interface AuthorizedFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /**
   * The token manager, for `renew()` and `current()`. Reading it throws a {@link ConfigurationError} with a
   * selector, and before the first request without the option `resource`.
   */
  readonly manager: TokenManager
  /**
   * Acquires a credential before it is needed, even after the user has declined a login, and during the pause
   * after failures. Await it before `connect()`: requests of the SDKs time out after a minute, and a login
   * may take longer.
   *
   * With a selector, it applies to the key that is selected for a request to the resource that is not an MCP
   * message, and so names no tool. With `perTenant`, call it within `tenant.run(name, …)`.
   *
   * @param options.signal - Aborts the wait, with the signal's reason.
   * @throws {@link CredentialError} when there is no credential; {@link ConfigurationError} when there is
   * neither a `resource` nor a first request yet.
   */
  login(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential>
  /**
   * Logs out: revokes the credential at its issuer where that is supported (RFC 7009), and discards it. The
   * next request acquires a new one.
   *
   * With a selector, it applies to the key that is selected for a request to the resource that is not an MCP
   * message, and so names no tool. With `perTenant`, call it within `tenant.run(name, …)`.
   *
   * @param options.registration - Whether to also delete the client's registration, so that the next login
   * registers again. Default `false`.
   * @throws {@link StoreError} when the store cannot be used; nothing was discarded then.
   */
  logout(options?: LogoutOptions): Promise<LogoutResult>
  /**
   * Closes every token manager and waits until their credentials are stored. Later requests reject with the
   * code `closed`.
   */
  close(): Promise<void>
  /** The same as {@link AuthorizedFetch.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes a `fetch` that puts a credential on every request to one origin, and after a 401 renews it and
 * retries once.
 *
 * - The credential goes to the bound origin and nowhere else. Requests to other origins, and those to the
 *   OAuth endpoints of an authorization server on the same origin, are sent without it, which an event reports.
 * - The second attempt has the same bytes as the first. Streams are sent once and not retried. The last
 *   response is returned unchanged.
 * - Redirects are followed within the origin, if they keep method and body.
 *
 * @param provider - The provider, or a selector such as {@link perTenant}.
 *
 * @example
 * ```ts
 * import { authorizedFetch, bearer, env } from 'mcp-credentials'
 *
 * const resource = 'https://mcp.example.com/mcp'
 * const fetch = authorizedFetch(bearer(env('MCP_TOKEN')), { resource })
 * const response = await fetch(resource, { method: 'POST', body: '{}' })
 * await fetch.close()
 * ```
 *
 * @throws {@link ConfigurationError} when an option is invalid. The returned function throws
 * {@link CredentialError} when there is no credential, and otherwise whatever `fetch` throws.
 * @group Authenticated requests
 */
export function authorizedFetch(
  provider: CredentialProvider | CredentialSelector,
  options: AuthorizedFetchOptions,
): AuthorizedFetch {
  const given: BindingOptions = options ?? {}
  checkArguments('authorizedFetch', provider, given)
  if (given.resource === undefined) {
    throw new ConfigurationError(
      'resource',
      'authorizedFetch: `resource` is missing; pass { resource: url } with the URL of the MCP server. Only withCredentials() takes it from the first request.',
    )
  }
  return bindingFetch(provider, given)
}

/** Makes the same `fetch` without checking the arguments; the first request may set the binding. */
export function bindingFetch(
  provider: CredentialProvider | CredentialSelector,
  options: BindingOptions,
): AuthorizedFetch {
  const router = new Router(provider, options)
  const authorized = (input: string | URL | Request, init?: RequestInit) =>
    router.fetch(input, init)
  const owner: Omit<AuthorizedFetch, 'manager'> = {
    login: (login) => router.withManager((manager) => manager.login(login)),
    logout: (logout) => router.withManager((manager) => manager.logout(logout)),
    close: () => router.close(),
    [Symbol.asyncDispose]: () => router.close(),
  }
  const withManager = { get: () => router.manager }
  return Object.defineProperty(
    Object.assign(authorized, owner),
    'manager',
    withManager,
  ) as AuthorizedFetch
}
