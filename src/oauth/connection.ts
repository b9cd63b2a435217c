/**
 * The configuration of a client at an authorization server for openid-client.
 *
 * @module
 */
import * as client from 'openid-client'
import type { AcquireContext, Secret } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { type Bound, bind, openAt } from './bound-values.ts'
import type { ClientAssertion } from './client-assertion.ts'
import type { SecretMethod } from './client-auth.ts'
import { prepareClientAuth } from './client-auth-preparation.ts'
import { authenticationOf, nameOf } from './client-method.ts'
import type { DpopSession } from './dpop.ts'
import { fetchEndpoint, formOf, tokenBounds } from './endpoint.ts'
import { EndpointError, endpointOf, judgeAnswer, readAnswer } from './endpoint-answer.ts'
import { Connection } from './issuer-connection.ts'
import { type BoundOAuthOptions, pinnedIssuer } from './options.ts'
import { checkPolicy, requestStep } from './policy.ts'
import type { RegisteredClient } from './registration.ts'
import type { LocatedServer } from './server.ts'
import { type RequestSigners, sendSigned } from './signed-request.ts'

/** The input of {@link connect}. */
export interface ConnectionParts {
  readonly provider: string
  readonly options: BoundOAuthOptions
  readonly context: Pick<
    AcquireContext,
    'fetch' | 'now' | 'serverNow' | 'resource' | 'signal' | 'emit'
  >
  readonly server: LocatedServer
  readonly registered: RegisteredClient
  readonly dpop: DpopSession | undefined
  /** The scope of token requests. */
  readonly scope: string | undefined
}

/**
 * Opens a connection; nothing is sent yet, but secrets are read.
 *
 * @throws `CredentialError` with the code `wrong_issuer` when the client's secret belongs to another server.
 */
export async function connect(parts: ConnectionParts): Promise<Connection> {
  const { provider, options, context, server, registered, dpop } = parts
  const { issuer, metadata, clock } = server
  const supported = metadata.token_endpoint_auth_methods_supported
  const method = authenticationOf(provider, options, registered, supported)
  checkSecretOwner(method, options, issuer)
  const bound: Bound<Secret> | undefined = registered.isDynamic
    ? registered.clientSecret
    : (options.clientSecret ?? registered.clientSecret)
  const secret = openAt(bound, issuer)
  const now = () => context.now() + clock.offset(context)
  const { signal } = context
  const auth = await prepareClientAuth({ provider, method, secret, signal, now })
  // Servers may have separate endpoints for client certificates (RFC 8705, section 5).
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
  const isAsserted = typeof method === 'object' || method === 'client_secret_jwt'
  const authenticate = (body: URLSearchParams, headers: Headers) =>
    auth(configuration.serverMetadata(), configuration.clientMetadata(), body, headers)
  const signers = { authenticate: isAsserted ? authenticate : undefined, dpop, clock }
  const requests = new EndpointRequests(parts, tokenEndpoint, signers)
  // Every endpoint has been checked: one without https is on this machine.
  client.allowInsecureRequests(configuration)
  configuration.timeout = tokenBounds.seconds
  configuration[client.customFetch] = async (target, init) => {
    const url = new URL(target)
    checkAudience(provider, url, method, server)
    return requests.send(url, init as RequestInit)
  }
  const identity = { ...registered, method: nameOf(method) }
  return new Connection({ issuer, client: identity, configuration, log: requests })
}

/** Checks that a secret which signs assertions is used at its own authorization server. */
function checkSecretOwner(
  method: SecretMethod | ClientAssertion,
  options: BoundOAuthOptions,
  issuer: string,
): void {
  const owner = pinnedIssuer(options)
  if (typeof method !== 'object' || method.method !== 'client_secret_jwt') return
  openAt(bind('client secret', method, owner ?? ''), issuer)
}

/**
 * Checks that an assertion for the token endpoint is sent to its origin only: any other recipient could
 * present it there.
 *
 * @see CVE-2025-27370
 */
function checkAudience(
  provider: string,
  url: URL,
  method: SecretMethod | ClientAssertion,
  { issuer, metadata }: LocatedServer,
): void {
  if (typeof method !== 'object' || method.audience !== 'token_endpoint') return
  const audience = metadata.token_endpoint
  if (audience !== undefined && new URL(audience).origin === url.origin) return
  throw new CredentialError(
    'wrong_issuer',
    `${provider}: the client's assertion has the audience ${resourceLabel(audience ?? issuer)}, and was not sent to ${resourceLabel(url)}.`,
    { provider, remedy: 'Leave out `audience`, so that the assertion is for the issuer.' },
  )
}

/** The requests of one connection, and the state of its token requests. */
class EndpointRequests {
  readonly #parts: ConnectionParts
  readonly #tokenEndpoint: string | undefined
  readonly #signers: RequestSigners
  #sentAt: number | undefined
  #refreshToken: string | undefined

  constructor(parts: ConnectionParts, tokenEndpoint: string | undefined, signers: RequestSigners) {
    this.#parts = parts
    this.#signers = signers
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
    const { fetch, resource, signal, now, emit } = this.#parts.context
    const context = { fetch, resource, signal, emit, allowPrivateNetwork }
    const form = formOf(init)
    const endpoint = endpointOf(form)
    const sender = { server, clientId: registered.clientId, scope }
    const step = requestStep(url, endpoint, form, sender)
    if (step !== undefined) await checkPolicy(allow, context, step)
    const isTokenRequest = url.href === this.#tokenEndpoint
    if (isTokenRequest) this.#sentAt = now()
    const isProven = isTokenRequest || endpoint === 'pushed_authorization'
    let sent = init
    const answer = await sendSigned(
      url,
      init,
      isProven,
      this.#signers,
      this.#parts.context,
      async (target, request) => {
        sent = request
        return readAnswer(
          await fetchEndpoint('its endpoint', target, request, tokenBounds, context),
        )
      },
    )
    const judged = { endpoint, url, init: sent, now: now() }
    const { result, refreshToken } = judgeAnswer(answer, judged)
    this.#refreshToken = refreshToken ?? this.#refreshToken
    if (result instanceof EndpointError) throw result
    return result
  }
}

/** Makes the error for a server that lacks a required feature. */
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
