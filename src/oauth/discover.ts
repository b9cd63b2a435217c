/**
 * Discovers the metadata of an MCP server and its authorization server.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { FetchLike } from '../credential.ts'
import {
  ConfigurationError,
  CredentialError,
  DiscoveryError,
  isCredentialError,
} from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { checkOptions } from '../options.ts'
import { checkEndpoint } from './endpoint.ts'
import { locateServer } from './server.ts'

/**
 * Discovers the authorization server of an MCP server, as a client does before its first login. Nothing
 * secret is sent. Use it to find out what to configure; an issuer that is discovered each time is not pinned.
 *
 * @example
 * ```ts
 * import { discover } from 'mcp-credentials/oauth'
 *
 * const { issuer, metadata } = await discover('https://mcp.example.com/mcp')
 * console.log(issuer, metadata.grant_types_supported)
 * ```
 *
 * @throws `DiscoveryError` when the server names none, or one that must not be used; `CredentialError` with
 * the code `network` or `timeout` when it cannot be reached.
 * @see RFC 9728; RFC 8414; MCP 2026-07-28, Authorization Server Discovery
 * @group Discovery and policy
 */
export async function discover(
  server: string | URL,
  options: {
    /** The `fetch` to use. Default: the platform's. */
    readonly fetch?: FetchLike
    /** Chooses among several authorization servers. Default: the first. */
    readonly selectIssuer?: (issuers: readonly string[]) => string
    /**
     * Whether to allow OAuth servers in private networks. Default `false`: an MCP server may point to public
     * addresses, to its own host, and to this machine if it runs here.
     */
    readonly allowPrivateNetwork?: boolean
    /** Aborts the discovery. */
    readonly signal?: AbortSignal
  } = {},
): Promise<{
  /** The issuer identifier, exactly as the server writes it: the value for the option `issuer`. */
  readonly issuer: string
  /** What the authorization server publishes (RFC 8414). */
  readonly metadata: ServerMetadata
  /** The identifier of the MCP server (RFC 8707). */
  readonly resource: string
  /** The scopes that the MCP server lists. */
  readonly scopes: readonly string[] | undefined
}> {
  checkOptions('discover', options, ['fetch', 'selectIssuer', 'allowPrivateNetwork', 'signal'])
  if (!URL.canParse(server)) {
    throw new ConfigurationError('server', 'discover: pass the URL of the MCP server.')
  }
  const resource = new URL(server)
  resource.hash = ''
  resource.search = ''
  const { allowPrivateNetwork = false, selectIssuer } = options
  checkEndpoint('the MCP server', resource.href, { resource, allowPrivateNetwork })
  const send: FetchLike = options.fetch ?? ((input, init) => fetch(input, init))
  const signal = options.signal ?? new AbortController().signal
  const found = await locateServer(
    { allowPrivateNetwork, ...(selectIssuer === undefined ? {} : { selectIssuer }) },
    { resource, challenges: [], fetch: send, signal },
  ).catch((error: unknown) => unreachable(resource, error))
  const { metadata, scopes } = found
  if (found.fromFallback) {
    throw new DiscoveryError(`${resourceLabel(resource)} names no authorization server.`, {
      resource,
      reason: 'no_authorization_server',
      remedy: "It may require an API key or a bearer token. Contact the server's operator.",
    })
  }
  return { issuer: metadata.issuer, metadata, resource: found.resource ?? resource.href, scopes }
}

function unreachable(resource: URL, error: unknown): never {
  if (isCredentialError(error)) throw error
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } }
  const isLate = name === 'TimeoutError'
  const systemCode = typeof cause?.code === 'string' && !isLate ? cause.code : undefined
  const why = systemCode === undefined ? '' : ` (${systemCode})`
  throw new CredentialError(
    isLate ? 'timeout' : 'network',
    `${resourceLabel(resource)} or its authorization server ${isLate ? 'did not respond in time' : `cannot be reached${why}`}.`,
    { resource, retryable: true, systemCode, remedy: 'Check the network and the address.' },
  )
}
