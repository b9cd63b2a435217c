/**
 * Client authentication with an assertion signed by a shared secret (`client_secret_jwt`).
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, readSecret } from '../secret.ts'
import { type ClientAssertion, checkAudience, signedBySecret } from './client-assertion.ts'

/**
 * Authenticates the client with an assertion signed by its secret (HMAC with SHA-256), valid for a minute and
 * for one use. The secret itself is never sent. It needs the option `issuer` of the grant, and no
 * `clientSecret`.
 *
 * @throws `ConfigurationError` when an option is invalid.
 * @see RFC 7523, section 2.2; OpenID Connect Core 1.0, section 9
 *
 * @example
 * ```ts
 * import { env } from 'mcp-credentials'
 * import { clientCredentials, clientSecretJwt } from 'mcp-credentials/oauth'
 *
 * const provider = clientCredentials({
 *   clientId: 'nightly-agent',
 *   issuer: 'https://login.example.com',
 *   clientAuth: clientSecretJwt({ secret: env('CLIENT_SECRET') }),
 * })
 * ```
 * @group Client authentication
 */
export function clientSecretJwt(options: {
  /**
   * The secret that the server knows too; it should have 32 bytes or more (RFC 7518, section 3.2), but a
   * shorter one is accepted. Read for each request.
   */
  readonly secret: Secret
  /**
   * The `aud` claim. Default: the issuer, which is the only audience that cannot be replayed elsewhere;
   * set `token_endpoint` for an older server.
   */
  readonly audience?: 'issuer' | 'token_endpoint'
}): ClientAssertion {
  checkOptions('clientSecretJwt', options, ['secret', 'audience'])
  const { secret, audience = 'issuer' } = options
  checkSecret('clientSecretJwt.secret', secret)
  checkAudience('clientSecretJwt', audience)
  return {
    method: 'client_secret_jwt',
    audience,
    prepare: async ({ signal, now }) =>
      signedBySecret(await readSecret('clientSecretJwt.secret', secret, { signal }), audience, now),
  }
}
