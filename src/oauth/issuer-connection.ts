/**
 * The requests of a client to its authorization server.
 *
 * @module
 */
import * as client from 'openid-client'
import { type Bound, bind, openAt } from './bound-values.ts'
import type { RegisteredClient } from './registration.ts'

/** The parameters of a request. Bound values are sent to their own authorization server only. */
export type RequestParameters = Readonly<Record<string, string | Bound>>

/** The secrets of a login until its callback. */
export interface PendingLogin {
  readonly state: Bound
  readonly verifier: Bound
  /** The redirect URI of the login. */
  readonly redirectUri: string
}

/** A login on another device that has begun. */
export interface PendingDeviceLogin {
  /** The part that is shown to the user. */
  readonly shown: Pick<
    client.DeviceAuthorizationResponse,
    'user_code' | 'verification_uri' | 'verification_uri_complete' | 'expires_in' | 'interval'
  >
  /** The part that is redeemed after the user's consent. */
  readonly authorization: Bound<client.DeviceAuthorizationResponse>
}

/** The log of a connection's token requests. */
export interface TokenRequestLog {
  /** When the last one was sent, in milliseconds since the epoch; `undefined`: not yet. */
  readonly sentAt: number | undefined
  /** The refresh token of the last response that had one. */
  readonly refreshToken: string | undefined
}

/**
 * A client at one authorization server. Bound tokens, codes and secrets are read only here, after their
 * issuer was compared with that of the connection.
 */
export class Connection {
  /** The authorization server. */
  readonly issuer: string
  /** The client of the requests. */
  readonly client: RegisteredClient
  readonly #configuration: client.Configuration
  readonly #log: TokenRequestLog

  constructor(parts: {
    readonly issuer: string
    readonly client: RegisteredClient
    readonly configuration: client.Configuration
    readonly log: TokenRequestLog
  }) {
    this.issuer = parts.issuer
    this.client = parts.client
    this.#configuration = parts.configuration
    this.#log = parts.log
  }

  /** When the last token request was sent, in milliseconds since the epoch; `undefined`: not yet. */
  get sentAt(): number | undefined {
    return this.#log.sentAt
  }

  /** The refresh token of the last token response, even if the rest of the response is invalid. */
  get lastRefreshToken(): Bound | undefined {
    const { refreshToken } = this.#log
    return refreshToken === undefined ? undefined : bind('refresh token', refreshToken, this.issuer)
  }

  /**
   * Returns a value, to be sent over this connection.
   *
   * @throws `CredentialError` with the code `wrong_issuer` when it belongs to another authorization server.
   */
  open<T>(bound: Bound<T>): T {
    return openAt(bound, this.issuer)
  }

  /** Sends a token request. */
  async requestTokens(
    grantType: string,
    parameters: RequestParameters,
  ): Promise<client.TokenEndpointResponse> {
    const opened = this.#opened(parameters)
    return client.genericGrantRequest(this.#configuration, grantType, opened)
  }

  /** Redeems a refresh token (RFC 6749, section 6). */
  async refresh(
    refreshToken: Bound,
    parameters: RequestParameters,
  ): Promise<client.TokenEndpointResponse> {
    const token = this.open(refreshToken)
    const opened = this.#opened(parameters)
    return client.refreshTokenGrant(this.#configuration, token, opened)
  }

  /** The URL that the user opens; with `pushed`, the request itself is sent to the server (RFC 9126). */
  async authorizationUrl(
    login: PendingLogin,
    pushed: boolean,
    parameters: Readonly<Record<string, string>>,
  ): Promise<URL> {
    const verifier = this.open(login.verifier)
    const request = {
      ...parameters,
      redirect_uri: login.redirectUri,
      state: this.open(login.state),
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }
    return pushed
      ? client.buildAuthorizationUrlWithPAR(this.#configuration, request)
      : client.buildAuthorizationUrl(this.#configuration, request)
  }

  /** Redeems the code of a callback. */
  async redeemCode(
    callback: Bound<URL>,
    login: PendingLogin,
    parameters: RequestParameters,
  ): Promise<client.TokenEndpointResponse> {
    const checks = {
      pkceCodeVerifier: this.open(login.verifier),
      expectedState: this.open(login.state),
    }
    const url = this.open(callback)
    const opened = this.#opened(parameters)
    return client.authorizationCodeGrant(this.#configuration, url, checks, opened)
  }

  /** Begins a login on another device (RFC 8628, section 3.1). */
  async beginDeviceLogin(parameters: RequestParameters): Promise<PendingDeviceLogin> {
    const opened = this.#opened(parameters)
    const response = await client.initiateDeviceAuthorization(this.#configuration, opened)
    const { user_code, verification_uri, verification_uri_complete, expires_in, interval } =
      response
    const shown = {
      user_code,
      verification_uri,
      expires_in,
      ...(verification_uri_complete === undefined ? {} : { verification_uri_complete }),
      ...(interval === undefined ? {} : { interval }),
    }
    return { shown, authorization: bind('device code', response, this.issuer) }
  }

  /**
   * Polls until the user has decided (RFC 8628, section 3.4).
   *
   * @param interval - Seconds between two requests.
   */
  async pollDeviceLogin(
    authorization: Bound<client.DeviceAuthorizationResponse>,
    interval: number,
    parameters: RequestParameters,
    signal: AbortSignal,
  ): Promise<client.TokenEndpointResponse> {
    const request = { ...this.open(authorization), interval }
    const opened = this.#opened(parameters)
    return client.pollDeviceAuthorizationGrant(this.#configuration, request, opened, { signal })
  }

  /** Revokes a token (RFC 7009, section 2.1). */
  async revoke(token: Bound, hint: 'refresh_token' | 'access_token'): Promise<void> {
    await client.tokenRevocation(this.#configuration, this.open(token), { token_type_hint: hint })
  }

  #opened(parameters: RequestParameters): Record<string, string> {
    const entries = Object.entries(parameters).map(
      ([name, value]) => [name, typeof value === 'string' ? value : this.open(value)] as const,
    )
    return Object.fromEntries(entries)
  }
}
