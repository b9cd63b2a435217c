/**
 * Options for the constructors of the official SDKs' transports.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import {
  type AuthorizedFetch,
  type AuthorizedFetchOptions,
  authorizedFetch,
} from './authorized-fetch.ts'

/** What a transport's constructor takes; add the transport's own options by spreading. */
export interface CredentialTransportOptions {
  /** Authenticates every request of the transport, and holds its token manager. */
  readonly fetch: AuthorizedFetch
}

/**
 * Makes the options that authenticate a transport: `StreamableHTTPClientTransport` and
 * `SSEClientTransport` of `@modelcontextprotocol/sdk` and `@modelcontextprotocol/client`.
 *
 * Do not pass the SDK's `authProvider` beside it, since then two layers would renew and retry; and
 * keep secrets out of `requestInit.headers`, which the SDKs also send to authorization servers.
 *
 * @example
 * ```ts
 * import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
 * import { apiKey, env, withCredentials } from 'mcp-credentials'
 *
 * const url = new URL('https://mcp.example.com/mcp')
 * const transport = new StreamableHTTPClientTransport(
 *   url,
 *   withCredentials(apiKey({ value: env('MCP_API_KEY') })),
 * )
 * ```
 *
 * @throws {@link ConfigurationError} when an option is wrong.
 */
export function withCredentials(
  provider: CredentialProvider,
  options: AuthorizedFetchOptions = {},
): CredentialTransportOptions {
  return { fetch: authorizedFetch(provider, options) }
}
