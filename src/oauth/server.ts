/**
 * Discovers, checks and caches the authorization server of a credential.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { AcquireContext, Challenge } from '../credential.ts'
import { DiscoveryError, isCredentialError } from '../errors.ts'
import { quotedIdentifier, resourceLabel } from '../labels.ts'
import {
  askForChallenges,
  checkMetadata,
  defaultMetadata,
  discoverAuthorizationServer,
  discoverProtectedResource,
  type ProtectedResource,
  strings,
} from './discovery.ts'
import { auditDocument } from './document-audit.ts'
import type { EndpointContext } from './endpoint.ts'
import { IssuerClock } from './issuer-clock.ts'
import { type OAuthOptions, pinnedIssuer } from './options.ts'
import { checkOwnEndpoints, type EndpointOwner } from './own-endpoints.ts'
import { profileOf } from './profiles.ts'

/** An authorization server, and the metadata of the MCP server. */
export interface LocatedServer extends EndpointOwner {
  /**
   * The issuer as it was named or configured. Everything that the server issues belongs to this issuer, even
   * if the application allows `metadata.issuer` to differ.
   */
  readonly issuer: string
  /** The value of the `resource` parameter; `undefined`: leave it out. */
  readonly resource: string | undefined
  /** The name of that parameter. */
  readonly resourceAs: string
  /** Whether logins with PKCE (S256) are known to work. */
  readonly hasPkce: boolean
  /** Whether no metadata was published, so that the default endpoints of MCP 2025-03-26 are used. */
  readonly fromFallback: boolean
  /** Further parameters that its logins need. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** The scopes that the MCP server lists. */
  readonly scopes: readonly string[] | undefined
  /** The challenges of the MCP server at the last discovery. */
  readonly challenges: readonly Challenge[]
  /** The metadata URL that the MCP server named; `undefined`: none, or a well-known URL. */
  readonly metadataPlace: string | undefined
  /** Its clock, estimated from its responses. */
  readonly clock: IssuerClock
  /** Whether the MCP server accepts only DPoP-bound tokens. */
  readonly requiresDpop: boolean
  /** The algorithms of proofs that both servers accept; `undefined`: they list none. */
  readonly dpopAlgorithms: readonly string[] | undefined
}

/** The part of an acquisition that discovery needs. */
export type LocateContext = Pick<
  AcquireContext,
  'resource' | 'challenges' | 'fetch' | 'signal' | 'emit'
>

/** The options that discovery needs, without secrets. */
export type LocateOptions = Omit<OAuthOptions, 'clientSecret'>

const lifetimeMs = 3_600_000

/**
 * Discovers the authorization server, and caches it for an hour. A rejected token triggers a new discovery,
 * which is the only way to notice that a server has moved to another issuer.
 */
export class ServerLocator {
  readonly #options: LocateOptions
  readonly #known = new Map<string, { readonly server: LocatedServer; readonly at: number }>()

  constructor(options: LocateOptions) {
    this.#options = options
  }

  /**
   * @throws `DiscoveryError` when there is none, or it must not be used; what `fetch` throws when
   * a server cannot be reached.
   */
  async locate(
    context: LocateContext & Pick<AcquireContext, 'reason' | 'now'>,
    before?: string,
  ): Promise<LocatedServer> {
    const key = context.resource.href
    const known = this.#known.get(key)
    const at = context.now()
    const isFresh = known !== undefined && at - known.at < lifetimeMs
    if (isFresh && context.reason !== 'rejected') return known.server
    try {
      const server = await locateServer(this.#options, context, known?.server, before)
      await checkEndpoints(server, context)
      this.#known.set(key, { server, at })
      return server
    } catch (error) {
      // Renewals continue while a document is temporarily unavailable.
      const refused = isCredentialError(error) && !error.retryable
      if (known === undefined || refused || context.signal.aborted) throw error
      return known.server
    }
  }
}

/**
 * Discovers the authorization server again.
 *
 * @param known - The result of the last discovery.
 * @param before - The issuer of the previous tokens, which is kept while the server still names it.
 */
export async function locateServer(
  options: LocateOptions,
  context: LocateContext,
  known?: LocatedServer,
  before?: string,
): Promise<LocatedServer> {
  const { resource } = context
  const rules = rulesOf(options, context)
  if (options.metadata !== undefined) {
    checkMetadata(rules, options.metadata)
    const { metadata } = options
    return described(options, { issuer: metadata.issuer, metadata, published: undefined }, context)
  }
  const isAsked = context.challenges.length > 0 || known !== undefined
  const challenges = isAsked ? context.challenges : await askForChallenges(rules)
  const metadataPlace =
    challenges
      .map(({ parameters }) => parameters.get('resource_metadata'))
      .find((place) => place !== undefined) ?? known?.metadataPlace
  const published = await discoverProtectedResource(rules, metadataPlace)
  // A document that is temporarily missing does not mean a move to another server.
  if (published === undefined && known !== undefined) return known
  const place = { document: 'resource_metadata', url: metadataPlace ?? resource.href } as const
  const issuer = await auditDocument(context, place, () =>
    chooseIssuer(options, published, resource, before),
  )
  const isLegacy = published === undefined && options.issuer === undefined
  // The issuer of a server that publishes nothing is derived here, so both forms are accepted.
  const accepted = isLegacy ? `${issuer}/` : undefined
  const found = await readMetadata(options, rules, issuer, accepted)
  const metadata = found ?? (isLegacy ? defaultMetadata(resource) : undefined)
  if (metadata === undefined) throw withoutMetadata(resource, issuer)
  const server = described(options, { issuer, metadata, published }, context)
  return { ...server, challenges, metadataPlace, fromFallback: found === undefined }
}

/** Discovers an authorization server by its issuer, without the MCP server. */
export async function locateIssuer(
  options: LocateOptions,
  context: LocateContext,
  issuer: string,
): Promise<LocatedServer> {
  const metadata =
    options.metadata ?? (await readMetadata(options, rulesOf(options, context), issuer))
  if (metadata === undefined) throw withoutMetadata(context.resource, issuer)
  checkMetadata(rulesOf(options, context), metadata)
  const named = options.metadata?.issuer ?? issuer
  const server = described(options, { issuer: named, metadata, published: undefined }, context)
  await checkEndpoints(server, context)
  return server
}

function checkEndpoints(server: LocatedServer, context: LocateContext): Promise<void> {
  const { issuer } = server
  const details = { document: 'server_metadata', url: issuer, issuer } as const
  return auditDocument(context, details, () => checkOwnEndpoints(server, context.resource))
}

function rulesOf(
  { allowPrivateNetwork = false, allow, clientId }: LocateOptions,
  { resource, fetch, signal, emit }: LocateContext,
): EndpointContext {
  return { resource, fetch, signal, emit, allowPrivateNetwork, allow, clientId }
}

function readMetadata(
  { acceptIssuer }: LocateOptions,
  rules: EndpointContext,
  issuer: string,
  accepted?: string,
): Promise<ServerMetadata | undefined> {
  const alternative = acceptIssuer ?? accepted ?? profileOf(issuer).acceptIssuer
  return discoverAuthorizationServer(rules, issuer, alternative)
}

function withoutMetadata(resource: URL, issuer: string): DiscoveryError {
  return new DiscoveryError(
    `${resourceLabel(resource)}: its authorization server ${resourceLabel(issuer)} publishes no metadata.`,
    { resource, remedy: 'Pass `metadata` with its issuer and endpoints, if they are known.' },
  )
}

function described(
  options: LocateOptions,
  found: {
    readonly issuer: string
    readonly metadata: ServerMetadata
    readonly published: ProtectedResource | undefined
  },
  { resource, challenges }: LocateContext,
): LocatedServer {
  const { issuer, metadata, published } = found
  const profile = profileOf(issuer)
  const leaveOut = profile.withoutResource === true && options.resource === undefined
  return {
    issuer,
    metadata,
    isTrusted: pinnedIssuer(options) !== undefined || profile.isTrusted === true,
    resource: leaveOut ? undefined : resourceParameter(options, published, resource),
    resourceAs: profile.resourceAs ?? 'resource',
    hasPkce:
      profile.hasPkce === true ||
      metadata.code_challenge_methods_supported?.includes('S256') === true,
    fromFallback: false,
    authorizationParameters: profile.authorizationParameters ?? {},
    scopes: published?.scopesSupported,
    challenges,
    metadataPlace: undefined,
    clock: new IssuerClock(),
    requiresDpop: published?.requiresDpop === true,
    dpopAlgorithms: commonAlgorithms(
      metadata.dpop_signing_alg_values_supported,
      published?.dpopAlgorithms,
    ),
  }
}

/** Returns the common members of two lists, where there are two. */
function commonAlgorithms(
  one: readonly string[] | undefined,
  other: readonly string[] | undefined,
): readonly string[] | undefined {
  const listed = strings(one)
  if (listed === undefined || other === undefined) return listed ?? other
  return listed.filter((name) => other.includes(name))
}

function chooseIssuer(
  { issuer, selectIssuer }: LocateOptions,
  published: ProtectedResource | undefined,
  resource: URL,
  before: string | undefined,
): string {
  if (published === undefined) return issuer ?? resource.origin
  const { authorizationServers } = published
  const kept = authorizationServers.find((server) => server === before)
  const chosen = issuer ?? selectIssuer?.(authorizationServers) ?? kept ?? authorizationServers[0]
  if (chosen !== undefined && authorizationServers.includes(chosen)) return chosen
  const named = authorizationServers.slice(0, 3).map(quotedIdentifier).join(', ')
  throw new DiscoveryError(
    `${resourceLabel(resource)} does not name ${quotedIdentifier(chosen)} as its authorization server, but ${named}.`,
    {
      resource,
      remedy:
        'No credential was sent. If that is the intended server, set `issuer` exactly as shown; if the server has moved, register a client at the new one.',
    },
  )
}

/** The identifier of the MCP server for the `resource` parameter (RFC 8707, section 2). */
function resourceParameter(
  options: LocateOptions,
  published: ProtectedResource | undefined,
  resource: URL,
): string | undefined {
  if (options.resource === false) return undefined
  if (options.resource !== undefined) return options.resource
  if (published !== undefined) return published.resource
  // A bare origin is written without the slash that a URL object adds (MCP, Canonical Server URI).
  return resource.pathname === '/' ? resource.origin : `${resource.origin}${resource.pathname}`
}
