/**
 * Checks that the endpoints of an authorization server belong to it.
 *
 * The MCP server chooses the server that publishes the metadata. If that names endpoints of another origin,
 * tokens and codes of one server could be sent to another, now or after the next change of the metadata.
 * Every endpoint must therefore be at the issuer's origin, unless the application named the issuer, or its
 * operator is known.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import { ConfigurationError, DiscoveryError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'

/** The endpoints that receive tokens, codes or secrets. */
const secretEndpoints = [
  'token_endpoint',
  'registration_endpoint',
  'revocation_endpoint',
  'device_authorization_endpoint',
  'pushed_authorization_request_endpoint',
] as const

/** The parameters of an authorization request that this library sets, or that would replace the request. */
const protocolParameters = [
  'response_type',
  'response_mode',
  'client_id',
  'client_secret',
  'redirect_uri',
  'scope',
  'state',
  'code',
  'code_challenge',
  'code_challenge_method',
  'code_verifier',
  'resource',
  'request',
  'request_uri',
  'dpop_jkt',
  'iss',
] as const

type Endpoint = (typeof secretEndpoints)[number] | 'authorization_endpoint'

/** An authorization server, and the endpoints that it names. */
export interface EndpointOwner {
  /** The issuer as it was named or configured. */
  readonly issuer: string
  readonly metadata: ServerMetadata
  /** Whether the application named the issuer, or its operator is known: its endpoints may be at any origin. */
  readonly isTrusted: boolean
}

/**
 * Checks the endpoints to which secrets are sent.
 *
 * @throws `DiscoveryError` when the origin of one differs from the issuer's, and the issuer is not trusted.
 */
export function checkOwnEndpoints(server: EndpointOwner, resource: URL): void {
  for (const name of secretEndpoints) checkOwnEndpoint(server, name, resource)
}

/**
 * Checks one endpoint.
 *
 * @throws `DiscoveryError` when its origin differs from the issuer's, and the issuer is not trusted.
 */
export function checkOwnEndpoint(
  { issuer, isTrusted, metadata }: EndpointOwner,
  name: Endpoint,
  resource: URL,
): void {
  if (isTrusted) return
  const own = new URL(issuer).origin
  // A client with a certificate contacts the alias instead (RFC 8705, section 5).
  for (const endpoint of [metadata[name], metadata.mtls_endpoint_aliases?.[name]]) {
    const origin = endpoint === undefined ? own : new URL(String(endpoint)).origin
    if (origin === own) continue
    throw notItsOwn(issuer, origin, name, resource, 'Nothing was sent there.')
  }
}

/**
 * Checks a page to which the user is sent. On another host it may be the page of another server, where the
 * user would authorize an attacker.
 *
 * @param name - The member of the response that names it.
 * @throws `DiscoveryError` when its host differs from the issuer's, and the issuer is not trusted.
 */
export function checkOwnPage(
  { issuer, isTrusted }: EndpointOwner,
  name: string,
  page: URL,
  resource: URL,
): void {
  if (isTrusted || page.hostname === new URL(issuer).hostname) return
  throw notItsOwn(issuer, page.origin, name, resource, 'The user was not sent there.')
}

function notItsOwn(
  issuer: string,
  origin: string,
  name: string,
  resource: URL,
  done: string,
): DiscoveryError {
  return new DiscoveryError(
    `${resourceLabel(resource)}: the authorization server ${resourceLabel(issuer)} names ${resourceLabel(origin)} for its ${name}, and it is not known that they belong together.`,
    { resource, remedy: `${done} If they do, set \`issuer\` to that authorization server.` },
  )
}

/**
 * Checks that the URL of an authorization endpoint contains none of the parameters of the request.
 *
 * @throws `DiscoveryError` when it does.
 */
export function checkAuthorizationEndpoint(
  { authorization_endpoint: endpoint }: Pick<ServerMetadata, 'authorization_endpoint'>,
  resource: URL,
): void {
  if (endpoint === undefined) return
  const { searchParams } = new URL(endpoint)
  const parameter = protocolParameters.find((name) => searchParams.has(name))
  if (parameter === undefined) return
  throw new DiscoveryError(
    `${resourceLabel(resource)}: its authorization_endpoint sets \`${parameter}\`, which belongs to the request.`,
    { resource, remedy: "Nothing was sent to it. Contact the server's operator." },
  )
}

/**
 * Checks the application's own parameters of the authorization request.
 *
 * @throws `ConfigurationError` that names the one which the library sets.
 */
export function checkAuthorizationParameters(
  provider: string,
  parameters: Readonly<Record<string, string>> = {},
): void {
  const names: readonly string[] = protocolParameters
  for (const name of Object.keys(parameters)) {
    if (!names.includes(name)) continue
    const option = `${provider}.authorizationParameters.${name}`
    throw new ConfigurationError(
      option,
      `${option} is set by the library; use the option of that name, if there is one.`,
    )
  }
}
