/**
 * The authorization server that a credential comes from: found, checked and remembered.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { AcquireContext } from '../credential.ts'
import { DiscoveryError, isCredentialError, resourceLabel } from '../errors.ts'
import {
  checkMetadata,
  defaultMetadata,
  discoverAuthorizationServer,
  discoverProtectedResource,
  type ProtectedResource,
} from './discovery.ts'
import type { EndpointContext } from './endpoint.ts'
import type { OAuthOptions } from './options.ts'
import { profileOf } from './profiles.ts'

/** An authorization server, and what the MCP server says of itself. */
export interface LocatedServer {
  readonly metadata: ServerMetadata
  /** The value of the `resource` parameter; `undefined`: leave it out. */
  readonly resource: string | undefined
  /** The name of that parameter. */
  readonly resourceAs: string
  /** Whether logins with PKCE (S256) are known to work. */
  readonly hasPkce: boolean
  /** What its logins need besides. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** The scopes that the MCP server lists. */
  readonly scopes: readonly string[] | undefined
}

/** The part of an acquisition that discovery needs. */
export type LocateContext = Pick<
  AcquireContext,
  'resource' | 'challenges' | 'fetch' | 'signal' | 'reason' | 'now'
>

const lifetimeMs = 3_600_000

/**
 * Finds the authorization server, and remembers it for an hour. A rejected token makes it look again,
 * since a server that moved to another issuer is noticed in no other way.
 */
export class ServerLocator {
  readonly #options: OAuthOptions
  readonly #known = new Map<string, { readonly server: LocatedServer; readonly at: number }>()

  constructor(options: OAuthOptions) {
    this.#options = options
  }

  /**
   * @throws `DiscoveryError` when there is none, or it may not be used; what `fetch` throws when
   * a server cannot be reached.
   */
  async locate(context: LocateContext): Promise<LocatedServer> {
    const key = context.resource.href
    const known = this.#known.get(key)
    const at = context.now()
    const isFresh = known !== undefined && at - known.at < lifetimeMs
    if (isFresh && context.reason !== 'rejected') return known.server
    try {
      const server = await locateServer(this.#options, context)
      this.#known.set(key, { server, at })
      return server
    } catch (error) {
      // A document that cannot be read for a while is no reason to stop renewing.
      const refused = isCredentialError(error) && !error.retryable
      if (known === undefined || refused || context.signal.aborted) throw error
      return known.server
    }
  }
}

/** Finds the authorization server anew. */
export async function locateServer(
  options: OAuthOptions,
  context: LocateContext,
): Promise<LocatedServer> {
  const { resource, fetch, signal } = context
  const rules: EndpointContext = {
    resource,
    fetch,
    signal,
    allowPrivateNetwork: options.allowPrivateNetwork ?? false,
  }
  if (options.metadata !== undefined) {
    checkMetadata(rules, options.metadata)
    return described(options, options.metadata, undefined, resource)
  }
  const published = await discoverProtectedResource(rules, context.challenges)
  const issuer = chooseIssuer(options, published, resource)
  const isLegacy = published === undefined && options.issuer === undefined
  // Nobody wrote the issuer of a server that publishes nothing, so both ways to write it are its own.
  const accepted =
    options.acceptIssuer ?? (isLegacy ? `${issuer}/` : profileOf(issuer).acceptIssuer)
  const found = await discoverAuthorizationServer(rules, issuer, accepted)
  const metadata = found ?? (isLegacy ? defaultMetadata(resource) : undefined)
  if (metadata === undefined) {
    throw new DiscoveryError(
      `${resourceLabel(resource)}: its authorization server ${resourceLabel(issuer)} publishes no metadata.`,
      { resource, remedy: 'Pass `metadata` with its issuer and endpoints, if you know them.' },
    )
  }
  return described(options, metadata, published, resource)
}

function described(
  options: OAuthOptions,
  metadata: ServerMetadata,
  published: ProtectedResource | undefined,
  resource: URL,
): LocatedServer {
  const profile = profileOf(metadata.issuer)
  const leaveOut = profile.withoutResource === true && options.resource === undefined
  return {
    metadata,
    resource: leaveOut ? undefined : resourceParameter(options, published, resource),
    resourceAs: profile.resourceAs ?? 'resource',
    hasPkce:
      profile.hasPkce === true ||
      metadata.code_challenge_methods_supported?.includes('S256') === true,
    authorizationParameters: profile.authorizationParameters ?? {},
    scopes: published?.scopesSupported,
  }
}

function chooseIssuer(
  { issuer, selectIssuer }: OAuthOptions,
  published: ProtectedResource | undefined,
  resource: URL,
): string {
  if (published === undefined) return issuer ?? resource.origin
  const { authorizationServers } = published
  const chosen = issuer ?? selectIssuer?.(authorizationServers) ?? authorizationServers[0]
  if (chosen !== undefined && authorizationServers.includes(chosen)) return chosen
  const named = authorizationServers.map((server) => resourceLabel(server)).join(', ')
  throw new DiscoveryError(
    `${resourceLabel(resource)} does not name ${chosen ?? 'an issuer'} as its authorization server, but ${named}.`,
    {
      resource,
      remedy:
        'No credential was sent. If the server has moved, get a client for the new one and change `issuer`.',
    },
  )
}

/** The identifier of the MCP server for the `resource` parameter (RFC 8707, section 2). */
function resourceParameter(
  options: OAuthOptions,
  published: ProtectedResource | undefined,
  resource: URL,
): string | undefined {
  if (options.resource === false) return undefined
  if (options.resource !== undefined) return options.resource
  if (published !== undefined) return published.resource
  // A bare origin is written without the slash that a URL object adds (MCP, Canonical Server URI).
  return resource.pathname === '/' ? resource.origin : `${resource.origin}${resource.pathname}`
}
