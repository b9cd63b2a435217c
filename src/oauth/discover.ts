/**
 * What an MCP server and its authorization server say about themselves.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import { ConfigurationError } from '../errors.ts'
import { checkEndpoint } from './endpoint.ts'
import { locateServer } from './server.ts'

/** What {@link discover} found. */
export interface Discovery {
  /** The issuer, exactly as it writes itself: the value for the option `issuer`. */
  readonly issuer: string
  /** What the authorization server publishes (RFC 8414), or its defaults where it publishes nothing. */
  readonly metadata: ServerMetadata
  /** The identifier of the MCP server (RFC 8707). */
  readonly resource: string
  /** The scopes that the MCP server lists. */
  readonly scopes: readonly string[] | undefined
}

/** Options of {@link discover}. */
export interface DiscoverOptions {
  /** The `fetch` to use. Default: the platform's. */
  readonly fetch?: typeof fetch
  /** Chooses among several authorization servers. Default: the first. */
  readonly selectIssuer?: (issuers: readonly string[]) => string
  /** Allow authorization servers in private networks although the MCP server is public. Default `false`. */
  readonly allowPrivateNetwork?: boolean
  /** Ends the discovery. */
  readonly signal?: AbortSignal
}

/**
 * Asks an MCP server for its authorization server, as a client would before its first login. Nothing
 * secret is sent. Use it to find out what to configure; an issuer that is looked up each time pins nothing.
 *
 * @example
 * ```ts
 * import { discover } from 'mcp-credentials/oauth'
 *
 * const { issuer, metadata } = await discover('https://mcp.example.com/mcp')
 * console.log(issuer, metadata.grant_types_supported)
 * ```
 *
 * @throws `DiscoveryError` when the server names none, or one that may not be used.
 * @see RFC 9728; RFC 8414; MCP 2026-07-28, Authorization Server Discovery
 */
export async function discover(
  server: string | URL,
  options: DiscoverOptions = {},
): Promise<Discovery> {
  if (!URL.canParse(server)) {
    throw new ConfigurationError('server', 'discover: pass the URL of the MCP server.')
  }
  const resource = new URL(server)
  resource.hash = ''
  resource.search = ''
  const { allowPrivateNetwork = false, selectIssuer } = options
  checkEndpoint('the MCP server', resource.href, { resource, allowPrivateNetwork })
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init))
  const signal = options.signal ?? new AbortController().signal
  const found = await locateServer(
    { allowPrivateNetwork, ...(selectIssuer === undefined ? {} : { selectIssuer }) },
    { resource, challenges: [], fetch: send, signal },
  )
  const { metadata, scopes } = found
  return { issuer: metadata.issuer, metadata, resource: found.resource ?? resource.href, scopes }
}
