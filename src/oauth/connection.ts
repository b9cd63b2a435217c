/**
 * A client at an authorization server, ready for openid-client to make requests with.
 *
 * @module
 */
import * as client from 'openid-client'
import type { AcquireContext } from '../credential.ts'
import { toBase64 } from '../encoding.ts'
import { CredentialError } from '../errors.ts'
import { prepareClientAuth } from './client-auth.ts'
import type { DpopSession } from './dpop.ts'
import { fetchEndpoint, parseObject, tokenBounds } from './endpoint.ts'
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
  /** The refresh token of an answer, even of one that turns out to be unusable. */
  readonly rescued: () => string | undefined
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
  const { provider, options, server, registered, dpop } = parts
  const { metadata } = server
  const method = options.clientAuth ?? registered.method
  const auth = await prepareClientAuth(
    provider,
    method,
    options.clientSecret ?? registered.clientSecret,
    metadata.token_endpoint_auth_methods_supported,
    parts.context.signal,
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
  const isTokenEndpoint = (url: URL) =>
    tokenEndpoint !== undefined && url.href === new URL(tokenEndpoint).href
  // Every endpoint was checked before: what is not https is on this machine.
  client.allowInsecureRequests(configuration)
  configuration.timeout = tokenBounds.seconds
  let rescued: string | undefined
  let sentAt: number | undefined
  configuration[client.customFetch] = async (target, init) => {
    const url = new URL(target)
    const { allowPrivateNetwork = false } = options
    const { fetch, resource, signal } = parts.context
    const context = { fetch, resource, signal, allowPrivateNetwork }
    const sent = init as RequestInit
    if (isTokenEndpoint(url)) sentAt = parts.context.now()
    const response = await fetchEndpoint('its endpoint', url, sent, tokenBounds, context)
    if (!response.ok) return withoutEcho(response, sent)
    if (!isTokenEndpoint(url)) return response
    const body = repairTokenResponse(await response.text())
    rescued = body.refreshToken ?? rescued
    const { status, headers } = response
    return new Response(body.text, { status, headers })
  }
  const proof =
    dpop === undefined ? {} : { DPoP: client.getDPoPHandle(configuration, await dpop.keyPair()) }
  return {
    configuration,
    client: registered,
    proof,
    sentAt: () => sentAt,
    rescued: () => rescued,
  }
}

/**
 * Makes the members of a token response well-formed that nobody should lose a login for, and picks the
 * refresh token out of it: by then the server has replaced the old one, whatever else is wrong.
 */
export function repairTokenResponse(text: string): {
  readonly text: string
  readonly refreshToken: string | undefined
} {
  const body = parseObject(text)
  if (body === undefined) return { text, refreshToken: undefined }
  const { refresh_token, expires_in, scope, id_token: _unused, ...rest } = body
  const isToken = typeof refresh_token === 'string' && /^[\x20-\x7e]+$/.test(refresh_token)
  const seconds = lifetime(expires_in)
  const repaired = {
    ...rest,
    ...(isToken ? { refresh_token } : {}),
    ...(seconds === undefined ? {} : { expires_in: seconds }),
    ...(typeof scope === 'string' ? { scope } : {}),
  }
  return { text: JSON.stringify(repaired), refreshToken: isToken ? refresh_token : undefined }
}

/** Parameters that are no secret, and may be repeated in an error. */
const harmless: ReadonlySet<string> = new Set([
  'grant_type',
  'client_id',
  'resource',
  'scope',
  'redirect_uri',
  'audience',
  'token_type_hint',
  'client_assertion_type',
  'subject_token_type',
  'actor_token_type',
  'requested_token_type',
])

/** Takes what was sent out of an error that repeats it: descriptions end up in messages. */
async function withoutEcho(response: Response, { body, headers }: RequestInit): Promise<Response> {
  const form = new URLSearchParams(body instanceof URLSearchParams ? body : String(body ?? ''))
  const secrets = [...form].flatMap(([name, value]) => (harmless.has(name) ? [] : [value]))
  const basic = /^Basic (\S+)$/.exec(new Headers(headers).get('authorization') ?? '')?.[1]
  if (basic !== undefined) secrets.push(basic, ...atob(basic).split(':').slice(1).map(decoded))
  // Written anew, for there are several ways to escape a character in JSON.
  const original = await response.text()
  const parsed = parseObject(original)
  let text = parsed === undefined ? original : JSON.stringify(parsed)
  for (const secret of secrets.filter((value) => value.length > 3)) {
    const quoted = JSON.stringify(secret).slice(1, -1)
    for (const spelling of [secret, quoted, encodeURIComponent(secret), base64(secret)]) {
      text = text.replaceAll(spelling, '<redacted>')
    }
  }
  const { status, headers: own } = response
  return new Response(text, { status, headers: own })
}

function decoded(text: string): string {
  return new URLSearchParams(`x=${text}`).get('x') ?? text
}

function base64(text: string): string {
  return toBase64(new TextEncoder().encode(text)).replace(/=+$/, '')
}

/** Seconds of life; some servers send them as text, and a negative number means that it is over. */
function lifetime(value: unknown): number | undefined {
  const isNumeric = typeof value === 'string' && /^-?\d{1,15}(?:\.\d+)?$/.test(value)
  const seconds = isNumeric ? Number(value) : value
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return undefined
  return Math.max(0, seconds)
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
