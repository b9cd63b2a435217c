/**
 * Claims of the assertions with which clients authenticate.
 *
 * @module
 */
import * as client from 'openid-client'
import { ConfigurationError } from '../errors.ts'

/** The audience of a client assertion. */
export type AssertionAudience = 'issuer' | 'token_endpoint'

/**
 * Client authentication by a signed assertion.
 *
 * @group Client authentication
 */
export interface ClientAssertion {
  /** The method's registered name. */
  readonly method: 'private_key_jwt' | 'client_secret_jwt'
  /** The audience of the assertion. */
  readonly audience: 'issuer' | 'token_endpoint'
  /** Makes its form for openid-client. */
  readonly prepare: (context: {
    /** Aborts when the assertion is no longer needed. */
    readonly signal: AbortSignal
    /** The time in milliseconds since the epoch, by the authorization server's clock where its offset is known. */
    readonly now: () => number
  }) => Promise<client.ClientAuth>
}

/** Seconds that an assertion is valid. */
const lifetime = 60

/** @throws `ConfigurationError` when it is not a supported audience. */
export function checkAudience(method: string, audience: AssertionAudience): void {
  if (audience === 'issuer' || audience === 'token_endpoint') return
  throw new ConfigurationError(
    `${method}.audience`,
    `${method}.audience must be issuer or token_endpoint.`,
  )
}

/** Sets the audience of an assertion. */
export function setAudience(
  claims: Record<string, unknown>,
  audience: AssertionAudience,
  { issuer, token_endpoint }: Pick<client.ServerMetadata, 'issuer' | 'token_endpoint'>,
): void {
  claims['aud'] = audience === 'token_endpoint' ? (token_endpoint ?? issuer) : issuer
}

/**
 * Sets the times of an assertion.
 *
 * @param now - The server's time, in milliseconds since the epoch.
 */
export function setTimes(claims: Record<string, unknown>, now: number): void {
  const seconds = Math.floor(now / 1000)
  claims['iat'] = seconds
  claims['nbf'] = seconds
  claims['exp'] = seconds + lifetime
}

/**
 * Signs assertions with a shared secret (HMAC with SHA-256).
 *
 * @param now - The server's time, in milliseconds since the epoch.
 */
export function signedBySecret(
  secret: string,
  audience: AssertionAudience,
  now: () => number,
): client.ClientAuth {
  return (as, registered, body, headers) =>
    client.ClientSecretJwt(secret, {
      [client.modifyAssertion]: (_header, payload) => {
        setAudience(payload, audience, as)
        setTimes(payload, now())
      },
    })(as, registered, body, headers)
}
