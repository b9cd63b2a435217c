/**
 * A client at an authorization server, ready for openid-client to make requests with.
 *
 * @module
 */
import * as client from 'openid-client'
import type { AcquireContext } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { prepareClientAuth } from './client-auth.ts'
import type { DpopSession } from './dpop.ts'
import { fetchEndpoint, tokenBounds } from './endpoint.ts'
import { EndpointError, endpointOf, judgeAnswer } from './endpoint-answer.ts'
import type { OAuthOptions } from './options.ts'
import type { RegisteredClient } from './registration.ts'
import type { LocatedServer } from './server.ts'

/** What every request to the authorization server needs. */
export interface Connection {
  readonly configuration: client.Configuration
  readonly client: RegisteredClient
  /** The last argument of openid-client's grants. */
  readonly proof: client.DPoPOptions
  /** When the last token request was sent, in milliseconds since the epoch; `undefined`: not yet. */
  readonly sentAt: () => number | undefined
  /** The refresh token of the last token response, also when the rest of the response is invalid. */
  readonly refreshTokenOfInvalidResponse: () => string | undefined
}

/** What a connection is made of. */
export interface ConnectionParts {
  readonly provider: string
  readonly options: OAuthOptions
  readonly context: Pick<AcquireContext, 'fetch' | 'now' | 'resource' | 'signal'>
  readonly server: LocatedServer
  readonly registered: RegisteredClient
  readonly dpop: DpopSession | undefined
}

/** Opens a connection; nothing is sent yet, but secrets are read. */
export async function connect(parts: ConnectionParts): Promise<Connection> {
  const { provider, options, context, server, registered, dpop } = parts
  const { metadata } = server
  const method = options.clientAuth ?? registered.method
  const auth = await prepareClientAuth(
    provider,
    method,
    options.clientSecret ?? registered.clientSecret,
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
  const requests = new EndpointRequests(context, options, tokenEndpoint)
  // Every endpoint was checked before: what is not https is on this machine.
  client.allowInsecureRequests(configuration)
  configuration.timeout = tokenBounds.seconds
  configuration[client.customFetch] = (url, init) =>
    requests.send(new URL(url), init as RequestInit)
  const proof =
    dpop === undefined ? {} : { DPoP: client.getDPoPHandle(configuration, await dpop.keyPair()) }
  return {
    configuration,
    client: registered,
    proof,
    sentAt: () => requests.sentAt,
    refreshTokenOfInvalidResponse: () => requests.refreshToken,
  }
}

/** The requests of one connection, and what is recorded of those to the token endpoint. */
class EndpointRequests {
  readonly #context: ConnectionParts['context']
  readonly #allowPrivateNetwork: boolean
  readonly #tokenEndpoint: string | undefined
  #sentAt: number | undefined
  #refreshToken: string | undefined

  constructor(
    context: ConnectionParts['context'],
    { allowPrivateNetwork = false }: OAuthOptions,
    tokenEndpoint: string | undefined,
  ) {
    this.#context = context
    this.#allowPrivateNetwork = allowPrivateNetwork
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
    const { fetch, resource, signal, now } = this.#context
    const context = { fetch, resource, signal, allowPrivateNetwork: this.#allowPrivateNetwork }
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
  const { host } = new URL(server.metadata.issuer)
  return new CredentialError('unsupported_server', `${provider}: ${host} ${what}.`, {
    provider,
    resource: context.resource,
    remedy,
  })
}
