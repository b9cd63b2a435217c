/**
 * The state of a test authorization server: codes, tokens, and families of refresh tokens.
 *
 * @module
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Answer } from './http.ts'

/** How tokens are issued. */
export interface IssueOptions {
  /** Seconds. */
  readonly tokenLifetime: number
  /** Whether responses contain `expires_in`. */
  readonly expiresIn: boolean
  /** Whether every refresh replaces the refresh token. */
  readonly rotate: boolean
  /** The scopes of a request that names none, separated by spaces. */
  readonly scope: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The grant of a token. */
export interface TokenGrant {
  readonly scope: string
  /** The `resource` parameter; empty when there was none. */
  readonly resource: string
}

interface Family extends TokenGrant {
  readonly clientId: string
  revoked: boolean
}
interface AccessToken extends TokenGrant {
  readonly expiresAt: number
  readonly family: Family
}
interface Code {
  readonly family: Family
  readonly challenge: string
  readonly redirectUri: string
}
interface RefreshToken {
  readonly family: Family
  spent: boolean
}

/** A refusal of the token endpoint (RFC 6749, section 5.2). */
export function refusal(error: string): Answer {
  return { status: error === 'invalid_client' ? 401 : 400, body: { error } }
}

/** The grants of one authorization server. */
export class Grants {
  readonly #options: IssueOptions
  readonly #codes = new Map<string, Code>()
  readonly #accessTokens = new Map<string, AccessToken>()
  readonly #refreshTokens = new Map<string, RefreshToken>()

  constructor(options: IssueOptions) {
    this.#options = options
  }

  /** Makes an authorization code for the parameters of an authorization request. */
  authorize(parameters: URLSearchParams): string {
    const code = randomUUID()
    this.#codes.set(code, {
      family: this.#family(parameters),
      challenge: parameters.get('code_challenge') ?? '',
      redirectUri: parameters.get('redirect_uri') ?? '',
    })
    return code
  }

  /** Answers a request to the token endpoint. */
  redeem(parameters: URLSearchParams, clientId: string): Answer {
    switch (parameters.get('grant_type')) {
      case 'authorization_code':
        return this.#redeemCode(parameters, clientId)
      case 'refresh_token':
        return this.#refresh(parameters, clientId)
      case 'client_credentials':
        return this.#issue({ ...this.#family(parameters), clientId }, undefined)
      default:
        return refusal('unsupported_grant_type')
    }
  }

  /** Returns the grant of an access token; `undefined`: it is invalid. */
  inspect(token: string): TokenGrant | undefined {
    const found = this.#accessTokens.get(token)
    if (found === undefined || found.family.revoked) return undefined
    if (this.#options.now() >= found.expiresAt) return undefined
    return { scope: found.scope, resource: found.resource }
  }

  /** Expires every access token; refresh tokens stay valid. */
  expire(): void {
    this.#accessTokens.clear()
  }

  /** Revokes a token and all tokens of the same login. */
  revoke(token: string): void {
    const family = (this.#refreshTokens.get(token) ?? this.#accessTokens.get(token))?.family
    if (family !== undefined) family.revoked = true
  }

  #family(parameters: URLSearchParams): Family {
    return {
      clientId: parameters.get('client_id') ?? '',
      scope: parameters.get('scope') ?? this.#options.scope,
      resource: parameters.get('resource') ?? '',
      revoked: false,
    }
  }

  #redeemCode(parameters: URLSearchParams, clientId: string): Answer {
    const text = parameters.get('code') ?? ''
    const code = this.#codes.get(text)
    this.#codes.delete(text)
    const verifier = parameters.get('code_verifier') ?? ''
    const isValid =
      code?.family.clientId === clientId &&
      code.redirectUri === parameters.get('redirect_uri') &&
      code.challenge === createHash('sha256').update(verifier).digest('base64url')
    if (!isValid) return refusal('invalid_grant')
    return this.#issue(code.family, this.#newRefreshToken(code.family))
  }

  #refresh(parameters: URLSearchParams, clientId: string): Answer {
    const text = parameters.get('refresh_token') ?? ''
    const token = this.#refreshTokens.get(text)
    if (token === undefined || token.family.clientId !== clientId) return refusal('invalid_grant')
    const { family } = token
    // A replay shows that the token was copied, so the login ends (RFC 9700, section 4.14.2).
    if (token.spent) family.revoked = true
    if (family.revoked) return refusal('invalid_grant')
    if (!this.#options.rotate) return this.#issue(family, undefined)
    token.spent = true
    return this.#issue(family, this.#newRefreshToken(family))
  }

  #newRefreshToken(family: Family): string {
    const token = `refresh-${randomUUID()}`
    this.#refreshTokens.set(token, { family, spent: false })
    return token
  }

  #issue(family: Family, refreshToken: string | undefined): Answer {
    const { tokenLifetime, expiresIn, now } = this.#options
    const token = `access-${randomUUID()}`
    const { scope, resource } = family
    const expiresAt = now() + tokenLifetime * 1000
    this.#accessTokens.set(token, { scope, resource, expiresAt, family })
    const body = {
      access_token: token,
      token_type: 'Bearer',
      scope,
      ...(expiresIn ? { expires_in: tokenLifetime } : {}),
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    }
    return { headers: { 'cache-control': 'no-store' }, body }
  }
}
