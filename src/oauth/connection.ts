/**
 * A client at an authorization server, ready for openid-client to make requests with.
 *
 * @module
 */
import * as client from 'openid-client'
import type { AcquireContext, Secret } from '../credential.ts'
import { CredentialError, resourceLabel } from '../errors.ts'
import { type Bound, openAt } from './bound-values.ts'
import { type ClientAuthentication, prepareClientAuth } from './client-auth.ts'
import type { DpopSession } from './dpop.ts'
import { fetchEndpoint, tokenBounds } from './endpoint.ts'
import { EndpointError, endpointOf, judgeAnswer } from './endpoint-answer.ts'
import { Connection } from './issuer-connection.ts'
import type { BoundOAuthOptions } from './options.ts'
import { checkPolicy, requestStep } from './policy.ts'
import type { RegisteredClient } from './registration.ts'
import type { LocatedServer } from './server.ts'

/** What a connection is made of. */
export interface ConnectionParts {
  readonly provider: string
  readonly options: BoundOAuthOptions
  readonly context: Pick<AcquireContext, 'fetch' | 'now' | 'resource' | 'signal'>
  readonly server: LocatedServer
  readonly registered: RegisteredClient
  readonly dpop: DpopSession | undefined
  /** The scope that tokens are asked for with. */
  readonly scope: string | undefined
}

/**
 * Opens a connection; nothing is sent yet, but secrets are read.
 *
 * @throws `CredentialError` with the code `wrong_issuer` when the client's secret belongs to another server.
 */
export async function connect(parts: ConnectionParts): Promise<Connection> {
  const { provider, options, context, server, registered, dpop } = parts
  const { issuer, metadata } = server
  const method = options.clientAuth ?? registered.method
  const secret: Bound<Secret> | undefined = options.clientSecret ?? registered.clientSecret
  const auth = await prepareClientAuth(
    provider,
    method,
    openAt(secret, issuer),
    metadata.token_endpoint_auth_methods_supported,
    context.signal,
  )
  // Servers ask for certificates at addresses of their own (RFC 8705, section 5).
  const usesAliases = method === 'tls_client_auth'
  const configuration = new client.Configuration(
    metadata,
    registered.clientId,
    { use_mtls_endpoint_aliases: usesAliases },
    auth,
  )
  const tokenEndpoint =
    (usesAliases ? metadata.mtls_endpoint_aliases?.token_endpoint : undefined) ??
    metadata.token_endpoint
  const requests = new EndpointRequests(parts, tokenEndpoint)
  // Every endpoint was checked before: what is not https is on this machine.
  client.allowInsecureRequests(configuration)
  configuration.timeout = tokenBounds.seconds
  configuration[client.customFetch] = async (target, init) => {
    const url = new URL(target)
    checkAudience(provider, url, method, server)
    return requests.send(url, init as RequestInit)
  }
  const proof =
    dpop === undefined ? {} : { DPoP: client.getDPoPHandle(configuration, await dpop.keyPair()) }
  return new Connection({ issuer, client: registered, configuration, proof, log: requests })
}

/**
 * Checks that an assertion for the token endpoint goes there, or to its neighbours: whoever else received it
 * could present it there.
 *
 * @see CVE-2025-27370
 */
function checkAudience(
  provider: string,
  url: URL,
  method: ClientAuthentication | undefined,
  { issuer, metadata }: LocatedServer,
): void {
  if (typeof method !== 'object' || method.audience !== 'token_endpoint') return
  const audience = metadata.token_endpoint
  if (audience !== undefined && new URL(audience).origin === url.origin) return
  throw new CredentialError(
    'wrong_issuer',
    `${provider}: the client's assertion has the audience ${resourceLabel(audience ?? issuer)}, and was not sent to ${resourceLabel(url)}.`,
    { provider, remedy: "Use privateKeyJwt() with the default `audience: 'issuer'`." },
  )
}

/** The requests of one connection, and what is recorded of those to the token endpoint. */
class EndpointRequests {
  readonly #parts: ConnectionParts
  readonly #tokenEndpoint: string | undefined
  #sentAt: number | undefined
  #refreshToken: string | undefined

  constructor(parts: ConnectionParts, tokenEndpoint: string | undefined) {
    this.#parts = parts
    this.#tokenEndpoint = tokenEndpoint === undefined ? undefined : new URL(tokenEndpoint).href
  }

  /** When the last token request was sent, in milliseconds since the epoch. */
  get sentAt(): number | undefined {
    return this.#sentAt
  }

  /** The refresh token of the last token response that had one. */
  get refreshToken(): string | undefined {
    return this.#refreshToken
  }

  async send(url: URL, init: RequestInit): Promise<Response> {
    const { server, registered, scope, options } = this.#parts
    const { allowPrivateNetwork = false, allow } = options
    const { fetch, resource, signal, now } = this.#parts.context
    const context = { fetch, resource, signal, allowPrivateNetwork }
    const step = requestStep(url, init.body, { server, clientId: registered.clientId, scope })
    if (step !== undefined) await checkPolicy(allow, context, step)
    const isTokenRequest = url.href === this.#tokenEndpoint
    if (isTokenRequest) this.#sentAt = now()
    const response = await fetchEndpoint('its endpoint', url, init, tokenBounds, context)
    const endpoint = endpointOf(init)
    const { result, refreshToken } = await judgeAnswer(response, {
      endpoint,
      url,
      init,
      now: now(),
    })
    this.#refreshToken = refreshToken ?? this.#refreshToken
    if (result instanceof EndpointError) throw result
    return result
  }
}

/** Says what is missing where a server offers no way to do what is needed. */
export function unsupported(
  provider: string,
  server: LocatedServer,
  context: Pick<AcquireContext, 'resource'>,
  what: string,
  remedy: string,
): CredentialError {
  const { host } = new URL(server.issuer)
  return new CredentialError('unsupported_server', `${provider}: ${host} ${what}.`, {
    provider,
    resource: context.resource,
    remedy,
  })
}
