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
 * What a transport's constructor takes, and the owner of the credentials; add the transport's own options by spreading.
 *
 * @group Authenticated requests
 */
export interface CredentialTransportOptions
  extends Pick<AuthorizedFetch, 'login' | 'logout' | 'close' | typeof Symbol.asyncDispose> {
  /** Authenticates every request of the transport. */
  readonly fetch: AuthorizedFetch
}

/**
 * Makes the options that authenticate a transport: `StreamableHTTPClientTransport` and
 * `SSEClientTransport` of `@modelcontextprotocol/sdk` and `@modelcontextprotocol/client`.
 *
 * Without the option `resource` the first request binds that is not for an OAuth endpoint. Do not pass the SDK's `authProvider` beside it,
 * since then two layers would renew and retry; and keep secrets out of `requestInit.headers`, which the SDKs
 * also send to authorization servers.
 *
 * @param provider - What proves who you are, or a selector such as {@link perTenant}.
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
 * @throws {@link ConfigurationError} when an option is wrong.
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
