/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A `fetch` that authenticates: the seam that every transport of both official SDKs shares.
 *
 * @module
 */
import type { Credential, CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import type { LogoutOptions, LogoutResult, TokenManager } from '../manager/token-manager.ts'
import { type AuthorizedFetchOptions, type BindingOptions, checkArguments } from './options.ts'
import { Router } from './router.ts'

/**
 * A `fetch` that authenticates, and the owner of the credentials that it sends. Its functions need no `this`.
 *
 * @group Authenticated requests
 */
export interface AuthorizedFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /**
   * The token manager, for `renew()` and `current()`. Reading it throws a {@link ConfigurationError} where a selector chooses among several,
   * and before the first request when there is no option `resource`.
   */
  readonly manager: TokenManager
  /**
   * Gets a credential before it is needed, also where a user has declined before or failures forbid to try.
   * Await it before `connect()`: the SDKs give a request up after a minute, and a login may take longer.
   *
   * With a selector, it acts on the key for a request to the resource itself that is no MCP message: with
   * `perTenant`, call it within `tenant.run(name, …)`; where the tool decides, what is selected without one.
   *
   * @param options.signal - Ends the wait, with the signal's reason.
   * @throws {@link CredentialError} when there is no credential; {@link ConfigurationError} when there is
   * neither a `resource` nor a first request yet.
   */
  login(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential>
  /**
   * Gives the credential up: revokes it at its issuer where that is possible (RFC 7009), and forgets it. The
   * next request acquires a new one.
   *
   * With a selector, it acts on the key for a request to the resource itself that is no MCP message: with
   * `perTenant`, call it within `tenant.run(name, …)`; where the tool decides, what is selected without one.
   *
   * @param options.registration - Also forget the client's registration, so that the next login registers
   * anew. Default `false`.
   * @throws {@link StoreError} when the store cannot be used; nothing was given up then.
   */
  logout(options?: LogoutOptions): Promise<LogoutResult>
  /**
   * Closes every token manager and waits until what they hold is stored. Nothing is sent any more; later
   * requests reject with the code `closed`.
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
 *   OAuth endpoints of an authorization server on the same origin, pass without it and with an event.
 * - The second attempt has the same bytes as the first. Streams are sent once and not retried. The last
 *   response is returned untouched.
 * - Redirects are followed within the origin, where method and body stay as they are.
 *
 * @param provider - What proves who you are, or a selector such as {@link perTenant}.
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
 * @throws {@link ConfigurationError} when an option is wrong. The returned function throws
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

/** The same without a check of the arguments, for those who may leave the binding to the first request. */
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
