/**
 * The authorization server that a credential comes from: found, checked and remembered.
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

/** An authorization server, and what the MCP server says of itself. */
export interface LocatedServer extends EndpointOwner {
  /**
   * As it was named or configured. Whatever the server issues belongs to this issuer, also where
   * `metadata.issuer` differs by leave of the application.
   */
  readonly issuer: string
  /** The value of the `resource` parameter; `undefined`: leave it out. */
  readonly resource: string | undefined
  /** The name of that parameter. */
  readonly resourceAs: string
  /** Whether logins with PKCE (S256) are known to work. */
  readonly hasPkce: boolean
  /** Nothing was published; these are the places where servers of 2025-03-26 have their endpoints. */
  readonly fromFallback: boolean
  /** What its logins need besides. */
  readonly authorizationParameters: Readonly<Record<string, string>>
  /** The scopes that the MCP server lists. */
  readonly scopes: readonly string[] | undefined
  /** What the MCP server said that it wants, when it was last found. */
  readonly challenges: readonly Challenge[]
  /** Where the MCP server said that its metadata is; `undefined`: nowhere, or at a well-known place. */
  readonly metadataPlace: string | undefined
  /** Its clock, as far as its answers have shown it. */
  readonly clock: IssuerClock
  /** The MCP server accepts only tokens that are bound to a key. */
  readonly requiresDpop: boolean
  /** The algorithms of proofs that both servers take; `undefined`: they list none. */
  readonly dpopAlgorithms: readonly string[] | undefined
}

/** The part of an acquisition that finding a server needs. */
export type LocateContext = Pick<
  AcquireContext,
  'resource' | 'challenges' | 'fetch' | 'signal' | 'emit'
>

/** The options that finding a server takes; no secret is among them. */
export type LocateOptions = Omit<OAuthOptions, 'clientSecret'>

const lifetimeMs = 3_600_000

/**
 * Finds the authorization server, and remembers it for an hour. A rejected token makes it look again,
 * since a server that moved to another issuer is noticed in no other way.
 */
export class ServerLocator {
  readonly #options: LocateOptions
  readonly #known = new Map<string, { readonly server: LocatedServer; readonly at: number }>()

  constructor(options: LocateOptions) {
    this.#options = options
  }

  /**
   * @throws `DiscoveryError` when there is none, or it may not be used; what `fetch` throws when
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
      // A document that cannot be read for a while is no reason to stop renewing.
      const refused = isCredentialError(error) && !error.retryable
      if (known === undefined || refused || context.signal.aborted) throw error
      return known.server
    }
  }
}

/**
 * Finds the authorization server anew.
 *
 * @param known - How it was found the last time.
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
  // A document that is gone for a while is no move to another server.
  if (published === undefined && known !== undefined) return known
  const place = { document: 'resource_metadata', url: metadataPlace ?? resource.href } as const
  const issuer = await auditDocument(context, place, () =>
    chooseIssuer(options, published, resource, before),
  )
  const isLegacy = published === undefined && options.issuer === undefined
  // The issuer of a server that publishes nothing is derived here, so both ways to write it are accepted.
  const accepted = isLegacy ? `${issuer}/` : undefined
  const found = await readMetadata(options, rules, issuer, accepted)
  const metadata = found ?? (isLegacy ? defaultMetadata(resource) : undefined)
  if (metadata === undefined) throw withoutMetadata(resource, issuer)
  const server = described(options, { issuer, metadata, published }, context)
  return { ...server, challenges, metadataPlace, fromFallback: found === undefined }
}

/** Finds an authorization server whose issuer is known, whatever the MCP server says. */
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
    { resource, remedy: 'Pass `metadata` with its issuer and endpoints, if you know them.' },
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
    isVouched: pinnedIssuer(options) !== undefined || profile.isVouched === true,
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

/** What two lists have in common, where there are two. */
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
        'No credential was sent. If that is the one you mean, write it exactly like this; if the server has moved, you need a client of the new one.',
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
