/**
 * Finds the authorization server of an MCP server.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { Challenge } from '../credential.ts'
import { DiscoveryError } from '../errors.ts'
import { quotedIdentifier, resourceLabel } from '../labels.ts'
import { validScopes } from '../scope.ts'
import { withTimeLimit } from '../waiting.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { auditDocument } from './document-audit.ts'
import {
  checkEndpoint,
  documentBounds,
  type EndpointContext,
  type EndpointRules,
  isObject,
} from './endpoint.ts'
import { readDocument, resourceMetadata, serverMetadata } from './metadata-document.ts'
import { checkAuthorizationEndpoint } from './own-endpoints.ts'

/** The metadata of an MCP server (RFC 9728, section 2). */
export interface ProtectedResource {
  /** Its identifier, as published: the value of the `resource` parameter (RFC 8707). */
  readonly resource: string
  /** The issuers of its authorization servers, as published; at least one. */
  readonly authorizationServers: readonly string[]
  /** The scopes that it lists. */
  readonly scopesSupported: readonly string[] | undefined
  /** Whether it accepts only DPoP-bound tokens. */
  readonly requiresDpop: boolean
  /** The algorithms of proofs that it accepts. */
  readonly dpopAlgorithms: readonly string[] | undefined
}

/** The members whose URLs are contacted or opened. */
const endpoints = [
  'authorization_endpoint',
  'token_endpoint',
  'registration_endpoint',
  'revocation_endpoint',
  'device_authorization_endpoint',
  'pushed_authorization_request_endpoint',
] as const

/**
 * Returns the challenges of a request without a credential, sent as the transport of that URL would: a URL
 * that ends in `/sse` receives a request for its event stream, others a message. If the server does not
 * support the method, the other one is tried. The list is empty when the server cannot be reached; its
 * well-known URLs are tried next.
 */
export async function askForChallenges(context: EndpointContext): Promise<readonly Challenge[]> {
  const streams = /\/sse\/?$/.test(context.resource.pathname)
  const [first, other] = streams ? [streamRequest, messageRequest] : [messageRequest, streamRequest]
  try {
    const answer = await readHead(context, first)
    const { status, headers } = answer.status === 405 ? await readHead(context, other) : answer
    return status === 401 ? parseChallenges(headers.get('WWW-Authenticate')) : []
  } catch (error) {
    if (context.signal.aborted) throw error
    return []
  }
}

const streamRequest: RequestInit = { method: 'GET', headers: { Accept: 'text/event-stream' } }
const messageRequest: RequestInit = {
  method: 'POST',
  headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
}

/** Sends a request to the MCP server without reading the body, because an event stream has no end. */
async function readHead(
  { fetch, resource, signal }: EndpointContext,
  init: RequestInit,
): Promise<Pick<Response, 'status' | 'headers'>> {
  const response = await withTimeLimit(documentBounds.seconds * 1000, signal, (limited) =>
    fetch(resource, { ...init, redirect: 'manual', signal: limited }),
  )
  response.body?.cancel().catch(() => {})
  return response
}

/**
 * Reads the metadata of a protected resource: at the URL that it named, else at the well-known URL for its
 * path, else at that of its origin. `undefined` when it publishes none.
 *
 * @param named - The `resource_metadata` of a challenge.
 * @throws `DiscoveryError` when a document describes another server or points to a forbidden address; what
 * `fetch` throws when the server cannot be reached.
 * @see RFC 9728, sections 3 and 5
 */
export async function discoverProtectedResource(
  context: EndpointContext,
  named: string | undefined,
): Promise<ProtectedResource | undefined> {
  const { resource } = context
  const wellKnown = `${resource.origin}/.well-known/oauth-protected-resource`
  const path = resource.pathname === '/' ? '' : resource.pathname
  const places = path === '' ? [wellKnown] : [`${wellKnown}${path}`, wellKnown]
  if (named !== undefined) places.unshift(named)
  for (const place of places) {
    const details = { document: 'resource_metadata', url: place } as const
    const found = await auditDocument(context, details, async () => {
      const document = await readDocument(context, resourceMetadata, place)
      return document === undefined ? undefined : protectedResource(context, document)
    })
    if (found !== undefined) return found
  }
  return undefined
}

/**
 * Reads the metadata of an authorization server: RFC 8414 and OpenID Connect, in the order of the
 * MCP specification. `undefined` when it publishes none.
 *
 * @throws `DiscoveryError` when the document names another issuer, or an endpoint to which no credential may
 * be sent.
 * @see RFC 8414, section 3; MCP 2026-07-28, Authorization Server Metadata Discovery
 */
export async function discoverAuthorizationServer(
  context: EndpointContext,
  issuer: string,
  acceptIssuer?: string,
): Promise<ServerMetadata | undefined> {
  const { origin, pathname } = checkEndpoint('the issuer', issuer, context)
  const path = pathname.replace(/\/$/, '')
  const oauth = `${origin}/.well-known/oauth-authorization-server`
  const openid = '/.well-known/openid-configuration'
  const places =
    path === ''
      ? [oauth, `${origin}${openid}`]
      : [`${oauth}${path}`, `${origin}${openid}${path}`, `${origin}${path}${openid}`]
  for (const place of places) {
    const details = { document: 'server_metadata', url: place, issuer } as const
    const found = await auditDocument(context, details, async () => {
      const document = await readDocument(context, serverMetadata, place, issuer)
      return document === undefined
        ? undefined
        : checkedMetadata(context, document, issuer, acceptIssuer)
    })
    if (found !== undefined) return found
  }
  return undefined
}

function checkedMetadata(
  context: EndpointContext,
  document: Record<string, unknown>,
  issuer: string,
  acceptIssuer: string | undefined,
): ServerMetadata {
  const own = document['issuer']
  // Compared as text, because anything looser lets one server speak for another (RFC 8414 section 3.3).
  if (own !== issuer && (acceptIssuer === undefined || own !== acceptIssuer)) {
    throw new DiscoveryError(
      `The authorization server ${quotedIdentifier(issuer)} publishes metadata of ${quotedIdentifier(own)}.`,
      {
        resource: context.resource,
        remedy:
          'If you trust it, set `issuer` to the first and `acceptIssuer` to the second, exactly as shown.',
      },
    )
  }
  checkMetadata(context, document)
  return document as unknown as ServerMetadata
}

/**
 * Checks the endpoints of metadata, whether it was discovered or configured.
 *
 * @throws `DiscoveryError` when one may not be contacted.
 */
export function checkMetadata(rules: EndpointRules, metadata: Record<string, unknown>): void {
  const aliases: unknown = metadata['mtls_endpoint_aliases']
  const groups = [metadata, ...(isObject(aliases) ? [aliases] : [])]
  for (const group of groups) {
    for (const name of endpoints) {
      if (group[name] !== undefined) checkEndpoint(name, group[name], rules)
    }
  }
  checkAuthorizationEndpoint(metadata, rules.resource)
}

/** The default endpoints of servers of MCP 2025-03-26 that publish no metadata. */
export function defaultMetadata(resource: URL): ServerMetadata {
  const { origin } = resource
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    // That version requires PKCE of every server (MCP 2025-03-26, Authorization).
    code_challenge_methods_supported: ['S256'],
  }
}

/**
 * Whether the identifier that a server publishes covers the URL that is called: the same origin, and
 * the same path or one above it.
 */
export function coversResource(identifier: string, resource: URL): boolean {
  if (!URL.canParse(identifier)) return false
  const own = new URL(identifier)
  if (own.origin !== resource.origin || own.username !== '' || own.hash !== '') return false
  const parent = own.pathname.replace(/\/$/, '')
  return resource.pathname === own.pathname || `${resource.pathname}/`.startsWith(`${parent}/`)
}

function protectedResource(
  { resource }: EndpointContext,
  document: Record<string, unknown>,
): ProtectedResource {
  const own = document['resource']
  if (!isUri(own) || !coversResource(own, resource)) {
    throw new DiscoveryError(
      `${resourceLabel(resource)} publishes metadata for another resource, ${quotedIdentifier(own)}.`,
      { resource, remedy: 'Use the URL in the metadata, if that is the intended server.' },
    )
  }
  const servers = strings(document['authorization_servers'])
  if (servers === undefined || servers.length === 0 || servers.length > 16) {
    throw new DiscoveryError(
      `${resourceLabel(resource)} publishes metadata that names no authorization server.`,
      { resource, reason: 'no_authorization_server' },
    )
  }
  if (!servers.every(isUri)) {
    throw new DiscoveryError(
      `${resourceLabel(resource)} publishes metadata with an authorization server that is not a URL.`,
      { resource, remedy: "Nothing was sent to it. Contact the server's operator." },
    )
  }
  return {
    resource: own,
    authorizationServers: servers,
    scopesSupported: strings(document['scopes_supported'])?.flatMap(validScopes),
    requiresDpop: document['dpop_bound_access_tokens_required'] === true,
    dpopAlgorithms: strings(document['dpop_signing_alg_values_supported']),
  }
}

/** Whether a value has the characters of a URI (RFC 3986, section 2), and is absolute. */
function isUri(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) && URL.canParse(value)
}

/** A list of texts; `undefined` for anything else. */
export function strings(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined
}
