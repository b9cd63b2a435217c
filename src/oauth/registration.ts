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
import { chooseMethod, isSecretMethod, type SecretMethod } from './client-auth.ts'
import { type EndpointContext, fetchEndpoint, parseObject, tokenBounds } from './endpoint.ts'

/** What a client that nobody registered says about itself. */
export interface ClientDescription {
  /** The name that a person sees when they are asked for consent. */
  readonly clientName: string
  /** Where the authorization server sends the person back to. */
  readonly redirectUris: readonly string[]
  /** The grants that the client will use. */
  readonly grantTypes: readonly string[]
  /** The scopes that it may ask for. */
  readonly scope: string | undefined
}

/** A client as the authorization server knows it. */
export interface RegisteredClient {
  readonly clientId: string
  readonly clientSecret: string | undefined
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
    /** The name that a person sees when they are asked for consent. */
    readonly clientName: string
    /** Where the authorization server sends the person back to. */
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

/** A client whose identifier is known, with what is kept of it. */
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
    clientSecret: typeof clientSecret === 'string' ? clientSecret : undefined,
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

/** Forgets a registration that the server no longer knows, unless a newer one has taken its place. */
export async function forgetRegistration(
  { records }: AcquireContext,
  issuer: string,
  clientId: string,
): Promise<void> {
  const record = await records.get(recordKey(issuer))
  if (record?.data['clientId'] === clientId) await records.delete(recordKey(issuer))
}

/**
 * Registers the client dynamically, and keeps the registration under the issuer that made it.
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
  const { redirectUris, clientName, grantTypes, scope } = description
  const [redirectUri = ''] = redirectUris
  const supported = as.token_endpoint_auth_methods_supported
  const wanted =
    supported === undefined || supported.includes('none') ? 'none' : chooseMethod(true, supported)
  const metadata: Partial<oauth.Client> = {
    client_name: clientName,
    redirect_uris: [...redirectUris],
    grant_types: [...grantTypes],
    response_types: ['code'],
    token_endpoint_auth_method: wanted,
    application_type: isLoopback(redirectUri) ? 'native' : 'web',
    ...(scope === undefined ? {} : { scope }),
  }
  const response = await oauth.dynamicClientRegistrationRequest(as, metadata, {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: (url, init) =>
      fetchEndpoint(
        'registration_endpoint',
        new URL(url),
        init as RequestInit,
        tokenBounds,
        context,
      ),
  })
  const answer = await readRegistration(context, provider, as, response)
  const { client_id, client_secret, client_secret_expires_at, token_endpoint_auth_method } = answer
  const secret = typeof client_secret === 'string' ? client_secret : undefined
  const method = isSecretMethod(token_endpoint_auth_method)
    ? token_endpoint_auth_method
    : chooseMethod(secret !== undefined, supported)
  const expiry = Number(client_secret_expires_at)
  const record: CredentialRecord = {
    version: 1,
    provider: 'registration',
    issuer: as.issuer,
    obtainedAt: context.now(),
    ...(expiry > 0 ? { expiresAt: expiry * 1000 } : {}),
    data: {
      clientId: client_id,
      redirectUri,
      method,
      ...(secret === undefined ? {} : { clientSecret: secret }),
    },
  }
  await context.records.set(recordKey(as.issuer), record)
  const secretExpiresAt = expiry > 0 ? expiry * 1000 : undefined
  return { clientId: client_id, clientSecret: secret, method, secretExpiresAt }
}

async function readRegistration(
  context: AcquireContext,
  provider: string,
  as: ServerMetadata,
  response: Response,
): Promise<Record<string, unknown> & { client_id: string }> {
  const { status } = response
  const body = parseObject(await response.text()) ?? {}
  const { client_id } = body
  if ((status === 201 || status === 200) && typeof client_id === 'string' && client_id !== '') {
    return { ...body, client_id }
  }
  const { error } = body
  const isBusy = status === 429 || status >= 500
  const code = isBusy
    ? status === 429
      ? 'rate_limited'
      : 'server_error'
    : typeof error === 'string' && /^[a-z_]{1,40}$/.test(error)
      ? error
      : 'registration_failed'
  const retryAfter = parseRetryAfter(response.headers.get('Retry-After'), context.now())
  throw new CredentialError(
    code,
    `${provider}: ${new URL(as.issuer).host} did not register the client (${status} ${code}).`,
    {
      provider,
      resource: context.resource,
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

function isLoopback(redirectUri: string): boolean {
  return redirectUri.startsWith('http://')
}
