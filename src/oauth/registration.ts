/**
 * Who the client is to an authorization server: known before, by a document, or registered now.
 *
 * @module
 */

import * as oauth from 'oauth4webapi'
import type { ServerMetadata } from 'openid-client'
import type { AcquireContext, CredentialRecord } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { parseRetryAfter } from '../retry-after.ts'
import { type Bound, bind, openAt } from './bound-values.ts'
import { chooseMethod, isSecretMethod, type SecretMethod } from './client-auth.ts'
import { type EndpointContext, fetchEndpoint, parseObject, tokenBounds } from './endpoint.ts'

/** What a client that is not registered yet says about itself. */
export interface ClientDescription {
  /** The name that the user sees when they are asked for consent. */
  readonly clientName: string
  /** Where the authorization server sends the user back to. */
  readonly redirectUris: readonly string[]
  /** The grants that the client will use. */
  readonly grantTypes: readonly string[]
  /** The scopes that it may ask for. */
  readonly scope: string | undefined
}

/** A client as the authorization server knows it. */
export interface RegisteredClient {
  readonly clientId: string
  /** Bound to the authorization server that it was registered at. */
  readonly clientSecret: Bound | undefined
  /** How it authenticates; `undefined`: by what the options say. */
  readonly method: SecretMethod | undefined
  /** When its secret ends, in milliseconds since the epoch; `undefined`: never. */
  readonly secretExpiresAt?: number | undefined
}

/**
 * Checks the URL of a client ID metadata document.
 *
 * @throws `ConfigurationError` when it is not https with a path, or has a fragment, dot segments
 * or user information.
 * @see draft-ietf-oauth-client-id-metadata-document, section 3
 */
export function checkClientMetadataUrl(option: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const fits =
    url?.protocol === 'https:' &&
    url.pathname !== '/' &&
    url.hash === '' &&
    !text.includes('#') &&
    url.username === '' &&
    url.password === '' &&
    !/\/\.{1,2}(?:[/?#]|$)/.test(text)
  if (fits) return
  throw new ConfigurationError(
    option,
    `${option} must be an https URL with a path and without fragment, dot segments or user name, such as https://app.example.com/client.json.`,
  )
}

/** The client ID metadata document that belongs at `url`; publish it there as JSON. */
export function clientMetadataDocument(
  url: string,
  description: {
    /** The name that the user sees when they are asked for consent. */
    readonly clientName: string
    /** Where the authorization server sends the user back to. */
    readonly redirectUris: readonly string[]
  },
): Readonly<Record<string, unknown>> {
  checkClientMetadataUrl('url', url)
  for (const uri of description.redirectUris) checkRedirectUri('redirectUris', uri)
  return {
    client_id: url,
    client_name: description.clientName,
    redirect_uris: description.redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
}

/**
 * Checks a redirect URI: https, or http on this machine.
 *
 * @throws `ConfigurationError` otherwise.
 */
export function checkRedirectUri(option: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const local = url !== undefined && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  const fits = url?.protocol === 'https:' || (url?.protocol === 'http:' && local)
  if (fits && url.hash === '') return
  throw new ConfigurationError(
    option,
    `${option} must be https, or http on localhost, without a fragment (MCP, Communication Security).`,
  )
}

/** Reads the registration at an issuer from the provider's records; `undefined`: none that fits. */
export async function storedRegistration(
  { records, now }: AcquireContext,
  issuer: string,
  redirectUri: string,
): Promise<RegisteredClient | undefined> {
  const record = await records.get(recordKey(issuer))
  if (record?.issuer !== issuer) return undefined
  const { clientId, redirectUri: registered } = record.data
  if (registered !== redirectUri || typeof clientId !== 'string') return undefined
  if (record.expiresAt !== undefined && record.expiresAt <= now()) return undefined
  return fromRecord(clientId, record)
}

/** Returns a client by its identifier, with what is stored of its registration. */
export async function registrationOf(
  { records }: AcquireContext,
  issuer: string,
  clientId: string,
): Promise<RegisteredClient> {
  const record = await records.get(recordKey(issuer))
  return fromRecord(clientId, record?.data['clientId'] === clientId ? record : undefined)
}

function fromRecord(clientId: string, record: CredentialRecord | undefined): RegisteredClient {
  const { clientSecret, method } = record?.data ?? {}
  return {
    clientId,
    clientSecret:
      typeof clientSecret === 'string' && record?.issuer !== undefined
        ? bind('client secret', clientSecret, record.issuer)
        : undefined,
    method: isSecretMethod(method) ? method : undefined,
    secretExpiresAt: record?.expiresAt,
  }
}

/** The redirect URI of the stored registration, so that a login can use the same one again. */
export async function registeredRedirectUri(
  { records }: AcquireContext,
  issuer: string,
): Promise<string | undefined> {
  const uri = (await records.get(recordKey(issuer)))?.data['redirectUri']
  return typeof uri === 'string' ? uri : undefined
}

/** Deletes a registration that the server no longer knows, unless a newer one has replaced it. */
export async function forgetRegistration(
  { records }: AcquireContext,
  issuer: string,
  clientId: string,
): Promise<void> {
  const record = await records.get(recordKey(issuer))
  if (record?.data['clientId'] === clientId) await records.delete(recordKey(issuer))
}

/**
 * Registers the client dynamically, and stores the registration under its issuer.
 *
 * @throws `CredentialError` with the server's own code, such as `invalid_redirect_uri`.
 * @see RFC 7591, section 3
 */
export async function register(
  context: AcquireContext & EndpointContext,
  provider: string,
  as: ServerMetadata,
  description: ClientDescription,
): Promise<RegisteredClient> {
  const response = await oauth.dynamicClientRegistrationRequest(
    as,
    clientMetadata(as, description),
    {
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: (url, init) =>
        fetchEndpoint(
          'registration_endpoint',
          new URL(url),
          init as RequestInit,
          tokenBounds,
          context,
        ),
    },
  )
  const registered = await readRegistration(context, provider, as, response)
  const { clientId, clientSecret, method, secretExpiresAt } = registered
  const [redirectUri = ''] = description.redirectUris
  const record: CredentialRecord = {
    version: 1,
    provider: 'registration',
    issuer: as.issuer,
    obtainedAt: context.now(),
    ...(secretExpiresAt === undefined ? {} : { expiresAt: secretExpiresAt }),
    data: {
      clientId,
      redirectUri,
      method,
      ...(clientSecret === undefined ? {} : { clientSecret: openAt(clientSecret, as.issuer) }),
    },
  }
  await context.records.set(recordKey(as.issuer), record)
  return registered
}

/** What a client asks to be registered as (RFC 7591, section 2). */
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

/** Reads the response to a registration (RFC 7591, section 3.2). */
async function readRegistration(
  context: AcquireContext,
  provider: string,
  as: ServerMetadata,
  response: Response,
): Promise<RegisteredClient> {
  const { status } = response
  const body = parseObject(await response.text()) ?? {}
  const { client_id: clientId, client_secret, client_secret_expires_at } = body
  const isRegistered = (status === 201 || status === 200) && typeof clientId === 'string'
  if (!isRegistered || clientId === '') {
    throw registrationFailed(context, provider, as, response, body['error'])
  }
  const clientSecret = typeof client_secret === 'string' ? client_secret : undefined
  const { token_endpoint_auth_method: method } = body
  const expiry = Number(client_secret_expires_at)
  return {
    clientId,
    clientSecret:
      clientSecret === undefined ? undefined : bind('client secret', clientSecret, as.issuer),
    method: isSecretMethod(method)
      ? method
      : chooseMethod(clientSecret !== undefined, as.token_endpoint_auth_methods_supported),
    secretExpiresAt: expiry > 0 && Number.isFinite(expiry * 1000) ? expiry * 1000 : undefined,
  }
}

function registrationFailed(
  { resource, now }: AcquireContext,
  provider: string,
  { issuer }: ServerMetadata,
  { status, headers }: Response,
  error: unknown,
): CredentialError {
  const isBusy = status === 429 || status >= 500
  const serverCode =
    typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? error : 'registration_failed'
  const busyCode = status === 429 ? 'rate_limited' : 'server_error'
  const code = isBusy ? busyCode : serverCode
  const retryAfter = parseRetryAfter(headers.get('Retry-After'), now())
  return new CredentialError(
    code,
    `${provider}: ${new URL(issuer).host} did not register the client (${status} ${code}).`,
    {
      provider,
      resource,
      status,
      retryable: isBusy,
      ...(retryAfter === undefined ? {} : { retryAfter }),
      ...(isBusy ? {} : { remedy: 'Register the client by hand and pass its `clientId`.' }),
    },
  )
}

function recordKey(issuer: string): string {
  return `registration ${issuer}`
}

/** Only a redirect URI on this machine may be http; see {@link checkRedirectUri}. */
function isLoopback(redirectUri: string | undefined): boolean {
  return redirectUri?.startsWith('http://') === true
}
