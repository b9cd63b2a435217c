/**
 * Dynamic client registration: the request, its response, and the deletion of a registration.
 *
 * @module
 */
import * as oauth from 'oauth4webapi'
import type { ServerMetadata } from 'openid-client'
import type { AcquireContext } from '../credential.ts'
import { CredentialError, DiscoveryError } from '../errors.ts'
import { type Bound, bind, openAt } from './bound-values.ts'
import { chooseMethod, isSecretMethod } from './client-auth.ts'
import {
  checkEndpoint,
  type EndpointContext,
  fetchEndpoint,
  parseObject,
  tokenBounds,
} from './endpoint.ts'
import { EndpointError, judgeAnswer, readAnswer } from './endpoint-answer.ts'
import { isNeverSent } from './error-mapping.ts'
import type { OAuthOptions } from './options.ts'
import { checkPolicy } from './policy.ts'
import {
  countRegistration,
  type NewRegistration,
  type RegisteredClient,
  type RegistrationManagement,
  registrationPause,
  removeRegistration,
  saveRegistration,
} from './registration.ts'
import type { LocatedServer } from './server.ts'

/** The metadata of a client that is not registered yet. */
export interface ClientDescription {
  /** The name that the user sees on the consent page. */
  readonly clientName: string
  /** The redirect URIs of the client. */
  readonly redirectUris: readonly string[]
  /** The grants that the client will use. */
  readonly grantTypes: readonly string[]
  /** The scopes that it may request. */
  readonly scope: string | undefined
  /** The credentials for the registration, each for this server only. */
  readonly permission: RegistrationPermission
}

/** The credentials of a client for a restricted registration. */
export interface RegistrationPermission {
  /** RFC 7591, section 3. */
  readonly initialAccessToken?: Bound
  /** RFC 7591, section 2.3. */
  readonly softwareStatement?: Bound
}

/**
 * Registers the client dynamically, and stores the registration under its issuer.
 *
 * @throws `CredentialError` with the server's own code, such as `invalid_redirect_uri`; `registration_failed` when
 * the client's secret has expired on arrival, or after three registrations within ten minutes.
 * @see RFC 7591, section 3
 */
export async function register(
  context: AcquireContext & EndpointContext,
  provider: string,
  as: ServerMetadata,
  description: ClientDescription,
): Promise<RegisteredClient> {
  const [redirectUri = ''] = description.redirectUris
  const pauseMs = await registrationPause(context, as.issuer, redirectUri)
  if (pauseMs > 0) throw tooMany(context, provider, as, pauseMs)
  const { initialAccessToken, softwareStatement } = description.permission
  const token = openAt(initialAccessToken, as.issuer)
  const statement = openAt(softwareStatement, as.issuer)
  const metadata = {
    ...clientMetadata(as, description),
    ...(statement === undefined ? {} : { software_statement: statement }),
  }
  const notRegistered = await countRegistration(context, as.issuer, redirectUri)
  const send = async (url: string, init: RequestInit) => {
    const answer = await sendRegistration(context, new URL(url), init).catch(
      async (error: unknown) => {
        if (!mayHaveRegistered(error)) await notRegistered()
        throw error
      },
    )
    if (!(answer instanceof EndpointError)) return answer
    if (!mayHaveRegistered(answer)) await notRegistered()
    throw registrationFailed(context, provider, as, answer)
  }
  const response = await oauth.dynamicClientRegistrationRequest(as, metadata, {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url, init) => send(url, init as RequestInit),
    ...(token === undefined ? {} : { initialAccessToken: token }),
  })
  const registration = await readRegistration(as, response)
  if ((registration.client.secretExpiresAt ?? Infinity) <= context.now()) {
    throw expiredOnArrival(context, provider, as)
  }
  await saveRegistration(context, as.issuer, { ...registration, redirectUri })
  return registration.client
}

/** Whether a server may have registered the client despite this error. */
function mayHaveRegistered(error: unknown): boolean {
  if (!(error instanceof EndpointError)) {
    return !(error instanceof DiscoveryError) && !isNeverSent(error)
  }
  const { status } = error.details
  return error.kind === 'invalid' || status < 400 || status > 599
}

/**
 * Removes the registrations at the current server and at the one that issued the last tokens, and deletes
 * them there where the server supports it.
 *
 * @param server - The current server; nothing is sent to any other.
 * @returns Whether there was one.
 * @see RFC 7592, section 2.3
 */
export async function forgetRegistrations(
  context: AcquireContext,
  { allowPrivateNetwork = false, allow }: Pick<OAuthOptions, 'allowPrivateNetwork' | 'allow'>,
  server: Pick<LocatedServer, 'issuer' | 'metadata'> | undefined,
  issuer: string | undefined,
): Promise<boolean> {
  const issuers = new Set([server?.issuer, issuer].filter((each) => each !== undefined))
  let hadOne = false
  for (const each of issuers) {
    const removed = await removeRegistration(context, each)
    hadOne ||= removed !== false
    if (typeof removed !== 'object' || server?.issuer !== each) continue
    const rules = { ...context, allowPrivateNetwork }
    // The registration is no longer used, even if the server keeps it.
    await deleteRegistration(rules, server, removed, allow).catch(() => {})
  }
  return hadOne
}

async function deleteRegistration(
  context: EndpointContext,
  { issuer, metadata }: Pick<LocatedServer, 'issuer' | 'metadata'>,
  { accessToken, uri }: RegistrationManagement,
  allow: OAuthOptions['allow'],
): Promise<void> {
  const what = 'registration_client_uri'
  const url = checkEndpoint(what, uri, context)
  const origins = [issuer, metadata.registration_endpoint ?? issuer].map(
    (place) => new URL(place).origin,
  )
  // Its token is sent only to the server that issued it.
  if (!origins.includes(url.origin)) return
  await checkPolicy(allow, context, {
    type: 'registration',
    issuer,
    origins: [url.origin],
    clientId: undefined,
    scopes: [],
  })
  const init = {
    method: 'DELETE',
    headers: { Authorization: `Bearer ${openAt(accessToken, issuer)}` },
  }
  await fetchEndpoint(what, url, init, tokenBounds, context)
}

/** The client metadata of a registration request (RFC 7591, section 2). */
function clientMetadata(
  { token_endpoint_auth_methods_supported: supported }: ServerMetadata,
  { redirectUris, clientName, grantTypes, scope }: ClientDescription,
): Partial<oauth.Client> {
  const isPublic = supported === undefined || supported.includes('none')
  return {
    client_name: clientName,
    redirect_uris: [...redirectUris],
    grant_types: [...grantTypes],
    response_types: ['code'],
    token_endpoint_auth_method: isPublic ? 'none' : chooseMethod(true, supported),
    application_type: isLoopback(redirectUris[0]) ? 'native' : 'web',
    ...(scope === undefined ? {} : { scope }),
  }
}

async function sendRegistration(
  context: AcquireContext & EndpointContext,
  url: URL,
  init: RequestInit,
): Promise<Response | EndpointError> {
  const response = await fetchEndpoint('registration_endpoint', url, init, tokenBounds, context)
  const request = { endpoint: 'registration', url, init, now: context.now() } as const
  return judgeAnswer(await readAnswer(response), request).result
}

/** Reads the response to a registration (RFC 7591, section 3.2), which has been checked. */
async function readRegistration(
  as: ServerMetadata,
  response: Response,
): Promise<Omit<NewRegistration, 'redirectUri'>> {
  const body = parseObject(await response.text()) ?? {}
  const { client_id: clientId, client_secret, client_secret_expires_at } = body
  const isSecret = typeof client_secret === 'string' && client_secret !== ''
  const clientSecret = isSecret ? client_secret : undefined
  if (clientSecret !== undefined && !/^[\x20-\x7e]{1,4096}$/.test(clientSecret)) {
    throw new CredentialError(
      'registration_failed',
      `${new URL(as.issuer).host} registered the client with a secret that cannot be sent.`,
      { remedy: 'Register the client by hand and pass its `clientId`.' },
    )
  }
  const { token_endpoint_auth_method: method } = body
  const expiry = Number(client_secret_expires_at)
  const canExpire = clientSecret !== undefined && expiry > 0
  const client: RegisteredClient = {
    clientId: String(clientId),
    clientSecret:
      clientSecret === undefined ? undefined : bind('client secret', clientSecret, as.issuer),
    // A registration cannot provide a certificate.
    method:
      isSecretMethod(method) && method !== 'tls_client_auth'
        ? method
        : chooseMethod(clientSecret !== undefined, as.token_endpoint_auth_methods_supported),
    isDynamic: true,
    secretExpiresAt: canExpire && Number.isFinite(expiry * 1000) ? expiry * 1000 : undefined,
  }
  const { registration_access_token: accessToken, registration_client_uri: uri } = body
  if (!isShort(accessToken) || !isShort(uri)) {
    return { client, management: undefined }
  }
  const bound = bind('registration access token', accessToken, as.issuer)
  return { client, management: { accessToken: bound, uri } }
}

/** Whether a text is short enough for the shared record: a hostile server could fill the store. */
function isShort(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 8192
}

const byHand = 'Register the client by hand and pass its `clientId`.'

function tooMany(
  { resource }: AcquireContext,
  provider: string,
  { issuer }: ServerMetadata,
  pauseMs: number,
): CredentialError {
  return new CredentialError(
    'registration_failed',
    `${provider}: the client has registered itself at ${new URL(issuer).host} three times within ten minutes, and each registration ended early.`,
    { provider, resource, retryAfter: Math.ceil(pauseMs / 1000), remedy: byHand },
  )
}

function expiredOnArrival(
  { resource }: AcquireContext,
  provider: string,
  { issuer }: ServerMetadata,
): CredentialError {
  return new CredentialError(
    'registration_failed',
    `${provider}: the secret that ${new URL(issuer).host} registered for the client had already expired.`,
    { provider, resource, remedy: `Check the clock of this machine. ${byHand}` },
  )
}

function registrationFailed(
  { resource }: AcquireContext,
  provider: string,
  { issuer }: ServerMetadata,
  { kind, details }: EndpointError,
): CredentialError {
  const { status, retryAfter, problem, serverDescription } = details
  const isBusy = kind === 'busy'
  const busyCode = status === 429 ? 'rate_limited' : 'server_error'
  const code = isBusy ? busyCode : details.code || 'registration_failed'
  const said = problem ?? code
  return new CredentialError(
    code,
    `${provider}: ${new URL(issuer).host} did not register the client (${status} ${said}).`,
    {
      provider,
      resource,
      status,
      serverDescription,
      retryable: isBusy,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(isBusy ? {} : { remedy: byHand }),
    },
  )
}

/** Only a redirect URI on this machine may be http; see {@link checkRedirectUri}. */
function isLoopback(redirectUri: string | undefined): boolean {
  return redirectUri?.startsWith('http://') === true
}
