/**
 * Token sets: their responses, their use, and their records.
 *
 * @module
 */
import type { TokenEndpointResponse } from 'openid-client'
import type {
  AcquireContext,
  Credential,
  CredentialRecord,
  OutgoingRequest,
  ResponseHead,
} from '../credential.ts'
import { fromBase64 } from '../encoding.ts'
import { CredentialError } from '../errors.ts'
import { type Bound, bind, openAt } from './bound-values.ts'
import { isAuthenticationMethod } from './client-auth.ts'
import type { DpopSession } from './dpop.ts'
import type { RegisteredClient } from './registration.ts'

/** The tokens of one grant, with their issuer and client. */
export interface TokenSet {
  readonly accessToken: Bound
  readonly tokenType: 'bearer' | 'dpop'
  readonly refreshToken: Bound | undefined
  /** The granted scope. */
  readonly scope: Bound | undefined
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number
  /** Milliseconds since the epoch; `undefined`: not known. */
  readonly expiresAt: number | undefined
  /** The authorization server that issued it; none of it is sent to another. */
  readonly issuer: string
  /** The client that it was issued to, with the secret of a client that registered itself. */
  readonly client: RegisteredClient
  /** The key as JSON, of tokens that are bound to one. */
  readonly dpopKey: JsonWebKey | undefined
  /** Whether its refresh token replaced an earlier one. */
  readonly rotated?: true | undefined
}

// In seconds. A longer lifetime, or a larger clock offset, is an error of the server.
const tenYears = 10 * 365 * 86_400
const oneYear = 365 * 86_400

// The method that Node calls to print an object; other platforms ignore it.
const inspect = Symbol.for('nodejs.util.inspect.custom')

/** A credential made of tokens, which are not shown when it is printed. */
export class OAuthCredential implements Credential {
  readonly #provider: string
  readonly #tokens: TokenSet
  readonly #opened: ReturnType<typeof opened>
  readonly #dpop: DpopSession | undefined

  /** @throws `CredentialError` with the code `wrong_issuer` when the parts belong to different servers. */
  constructor(provider: string, tokens: TokenSet, dpop: DpopSession | undefined) {
    this.#provider = provider
    this.#tokens = tokens
    this.#opened = opened(tokens)
    this.#dpop = tokens.tokenType === 'dpop' ? dpop : undefined
    // An inspection of getters would show the record.
    Object.defineProperty(this, inspect, { value: () => this.toString() })
  }

  /** The tokens of a credential that was made here; `undefined` for any other. */
  static tokensOf(credential: Credential | undefined): TokenSet | undefined {
    return credential instanceof OAuthCredential ? credential.#tokens : undefined
  }

  /** The session of a credential whose tokens are bound to a key. */
  static dpopOf(credential: Credential | undefined): DpopSession | undefined {
    return credential instanceof OAuthCredential ? credential.#dpop : undefined
  }

  get obtainedAt(): number {
    return this.#tokens.obtainedAt
  }

  get expiresAt(): number {
    return this.#tokens.expiresAt ?? Infinity
  }

  get scope(): string {
    return this.#opened.scope ?? ''
  }

  get issuer(): string {
    return this.#tokens.issuer
  }

  get record(): CredentialRecord {
    const { obtainedAt, expiresAt, issuer, tokenType, client, dpopKey, rotated } = this.#tokens
    const { clientId, method: clientMethod, isDynamic, secretExpiresAt } = client
    const dynamicClient = isDynamic ? true : undefined
    const identity = { clientId, clientMethod, dynamicClient, secretExpiresAt }
    const data = { ...this.#opened, tokenType, dpopKey, rotated, ...identity }
    return {
      version: 1,
      provider: this.#provider,
      issuer,
      obtainedAt,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)),
    }
  }

  apply(request: OutgoingRequest): void | Promise<void> {
    const { accessToken } = this.#opened
    if (this.#dpop !== undefined) return this.#dpop.apply(request, accessToken)
    request.headers.set('Authorization', `Bearer ${accessToken}`)
  }

  observe(response: ResponseHead, request: OutgoingRequest): 'resend' | undefined {
    return this.#dpop?.observe(response, request) === true ? 'resend' : undefined
  }

  toString(): string {
    return `[redacted ${this.#tokens.tokenType} token]`
  }

  toJSON(): string {
    return this.toString()
  }
}

/** The bound parts of a token set, for its own record and for the MCP server. */
function opened({ issuer, accessToken, refreshToken, scope, client }: TokenSet) {
  return {
    accessToken: openAt(accessToken, issuer),
    refreshToken: openAt(refreshToken, issuer),
    scope: openAt(scope, issuer),
    clientSecret: openAt(client.clientSecret, issuer),
  }
}

/** Returns the scopes of tokens, for their own authorization server only. */
export function scopeFor(tokens: TokenSet | undefined, issuer: string): string | undefined {
  return tokens?.issuer === issuer ? openAt(tokens.scope, issuer) : undefined
}

/**
 * Makes a token set with only a refresh token. Its record is marked as expired.
 *
 * @param tokens - The set without an access token.
 */
export function refreshOnly(
  tokens: Pick<TokenSet, 'issuer' | 'client' | 'obtainedAt' | 'refreshToken' | 'dpopKey'>,
): TokenSet {
  const { issuer, obtainedAt, dpopKey } = tokens
  return {
    ...tokens,
    accessToken: bind('access token', '', issuer),
    tokenType: dpopKey === undefined ? 'bearer' : 'dpop',
    scope: undefined,
    expiresAt: obtainedAt,
  }
}

/** The origin of a token response. */
export interface TokenOrigin {
  readonly provider: string
  readonly context: AcquireContext
  readonly issuer: string
  readonly client: RegisteredClient
  readonly dpop: DpopSession | undefined
  /** The requested scope, which is the granted one if the server names none (RFC 6749 section 5.1). */
  readonly scope: string | undefined
  /** Kept when the server returns no new one (RFC 6749 section 6). */
  readonly refreshToken: Bound | undefined
  /** When the request was sent, in milliseconds since the epoch. */
  readonly sentAt: number
}

/**
 * Makes a token set from a token response.
 *
 * @throws `CredentialError` with the code `invalid_response` when a token cannot be sent in a
 * header, or is not bound to the key although that is required.
 */
export async function tokenSetOf(
  response: TokenEndpointResponse,
  origin: TokenOrigin,
): Promise<TokenSet> {
  const { provider, context, dpop, sentAt, issuer } = origin
  const tokenType = response.token_type.toLowerCase()
  const invalid = (problem: string, remedy?: string): CredentialError =>
    new CredentialError('invalid_response', `${provider}: the authorization server ${problem}.`, {
      provider,
      resource: context.resource,
      retryable: false,
      ...(remedy === undefined ? {} : { remedy }),
    })
  if (tokenType !== 'dpop' && tokenType !== 'bearer') {
    throw invalid('issued a token that is not an access token')
  }
  if (!/^[\x21-\x7e]+$/.test(response.access_token)) {
    throw invalid('issued a token that no header can carry')
  }
  if (tokenType === 'dpop' && dpop === undefined) {
    throw invalid('issued a token that is bound to a key', 'Set `dpop: true`.')
  }
  if (tokenType === 'bearer' && dpop?.required === true) {
    throw invalid(
      'issued a token that is not bound to the key',
      'Set `dpop: { required: false }` to accept a plain bearer token.',
    )
  }
  const { access_token, refresh_token } = response
  // An empty scope is treated like a missing one.
  const scope = response.scope || origin.scope
  return {
    accessToken: bind('access token', access_token, issuer),
    tokenType,
    refreshToken:
      refresh_token === undefined
        ? origin.refreshToken
        : bind('refresh token', refresh_token, issuer),
    scope: scope === undefined ? undefined : bind('scope', scope, issuer),
    obtainedAt: sentAt,
    expiresAt: expiryOf(response, sentAt),
    issuer,
    client: origin.client,
    dpopKey: tokenType === 'dpop' && dpop !== undefined ? (await dpop.key()).stored : undefined,
    rotated: isRotation(response, origin) ? true : undefined,
  }
}

function isRotation(
  { refresh_token }: TokenEndpointResponse,
  { refreshToken }: TokenOrigin,
): boolean {
  const hasBoth = refresh_token !== undefined && refreshToken !== undefined
  return hasBoth && !refreshToken.equals(refresh_token)
}

/** Rebuilds a token set from a record; `undefined` when the record is not one of these. */
export function tokenSetFrom(record: CredentialRecord): TokenSet | undefined {
  const { issuer, obtainedAt = 0, expiresAt, data } = record
  const { accessToken, tokenType, refreshToken, scope, dpopKey } = data
  const { clientId, clientSecret, clientMethod, dynamicClient, secretExpiresAt } = data
  if (issuer === undefined || typeof accessToken !== 'string') return undefined
  const text = (kind: string, value: unknown): Bound | undefined =>
    typeof value === 'string' ? bind(kind, value, issuer) : undefined
  return {
    accessToken: bind('access token', accessToken, issuer),
    tokenType: tokenType === 'dpop' ? 'dpop' : 'bearer',
    refreshToken: text('refresh token', refreshToken),
    scope: text('scope', scope),
    obtainedAt,
    expiresAt,
    issuer,
    client: {
      clientId: typeof clientId === 'string' ? clientId : '',
      clientSecret: text('client secret', clientSecret),
      method: isAuthenticationMethod(clientMethod) ? clientMethod : undefined,
      isDynamic: dynamicClient === true,
      secretExpiresAt: typeof secretExpiresAt === 'number' ? secretExpiresAt : undefined,
    },
    dpopKey: typeof dpopKey === 'object' ? (dpopKey as JsonWebKey) : undefined,
    rotated: data['rotated'] === true ? true : undefined,
  }
}

/**
 * Returns the expiry from `expires_in`, else from a JWT's own claims, counted from the time of the request.
 * `undefined`: neither is plausible.
 */
function expiryOf({ expires_in, access_token }: TokenEndpointResponse, sentAt: number) {
  if (expires_in !== undefined) {
    return expires_in > tenYears ? undefined : sentAt + Math.max(0, expires_in) * 1000
  }
  const { iat, exp } = jwtTimes(access_token)
  if (exp === undefined) return undefined
  // The difference does not depend on the clock of either machine.
  const lifetime = exp - (iat ?? sentAt / 1000)
  const isPlausible = iat === undefined ? lifetime > -oneYear : lifetime > 0
  return isPlausible && lifetime <= tenYears ? Math.round(sentAt + lifetime * 1000) : undefined
}

/** The times of a JWT, for planning only; nothing is verified. */
function jwtTimes(token: string): { iat?: number; exp?: number } {
  const payload = token.split('.')[1]
  if (payload === undefined) return {}
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(fromBase64(payload)))
    const { iat, exp } = (claims ?? {}) as { iat?: unknown; exp?: unknown }
    return {
      ...(isDate(iat) ? { iat } : {}),
      ...(isDate(exp) ? { exp } : {}),
    }
  } catch {
    return {}
  }
}

/** Whether a claim is a valid time in seconds since the epoch; JSON allows `1e999`, which is infinite. */
function isDate(seconds: unknown): seconds is number {
  return typeof seconds === 'number' && Math.abs(seconds) <= 8.64e12
}
