/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Options for the constructors of the official SDKs' transports.
 *
 * @module
 */
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { type AuthorizedFetch, bindingFetch } from './authorized-fetch.ts'
import { type AuthorizedFetchOptions, checkArguments } from './options.ts'

/**
 * Options for a transport's constructor, and the owner of the credentials. Spread them to add the transport's
 * own options.
 *
 * @group Authenticated requests
 */
export interface CredentialTransportOptions
  extends Pick<AuthorizedFetch, 'login' | 'logout' | 'close' | typeof Symbol.asyncDispose> {
  /** Authenticates every request of the transport. */
  readonly fetch: AuthorizedFetch
}

/**
 * Returns the options that authenticate a transport: `StreamableHTTPClientTransport` and
 * `SSEClientTransport` of `@modelcontextprotocol/sdk` and `@modelcontextprotocol/client`.
 *
 * Without the option `resource`, the first request that is not for an OAuth endpoint sets the binding. Do not
 * also pass the SDK's `authProvider`: two layers would renew and retry. Keep secrets out of
 * `requestInit.headers`, which the SDKs also send to authorization servers.
 *
 * @param provider - The provider, or a selector such as {@link perTenant}.
 *
 * @example
 * ```ts
 * import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
 * import { apiKey, env, withCredentials } from 'mcp-credentials'
 *
 * const url = new URL('https://mcp.example.com/mcp')
 * const options = withCredentials(apiKey({ value: env('MCP_API_KEY') }))
 * const transport = new StreamableHTTPClientTransport(url, options)
 * ```
 *
 * @throws {@link ConfigurationError} when an option is invalid.
 * @group Authenticated requests
 */
export function withCredentials(
  provider: CredentialProvider | CredentialSelector,
  options: Omit<AuthorizedFetchOptions, 'resource'> &
    Partial<Pick<AuthorizedFetchOptions, 'resource'>> = {},
): CredentialTransportOptions {
  checkArguments('withCredentials', provider, options)
  const fetch = bindingFetch(provider, options)
  const { login, logout, close } = fetch
  return { fetch, login, logout, close, [Symbol.asyncDispose]: close }
}
