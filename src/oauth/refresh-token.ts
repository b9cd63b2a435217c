/**
 * Renewal with a refresh token that was obtained elsewhere.
 *
 * @module
 */
import * as client from 'openid-client'
import type { AcquireContext, CredentialProvider, Secret } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { checkSecret, readSecret } from '../secret.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'

const name = 'refreshToken'

/**
 * Renews access tokens with a refresh token from a login elsewhere.
 *
 * @example
 * ```ts
 * import { env, withCredentials } from 'mcp-credentials'
 * import { refreshToken } from 'mcp-credentials/oauth'
 *
 * const options = withCredentials(
 *   refreshToken({
 *     clientId: 'notes-agent',
 *     issuer: 'https://login.example.com',
 *     refreshToken: env('MCP_REFRESH_TOKEN'),
 *   }),
 * )
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong or missing. An acquisition throws
 * `LoginRequiredError` when the server no longer accepts the token.
 * @see RFC 6749, section 6
 */
export function refreshToken(
  options: OAuthOptions & {
    /** The client identifier that the refresh token was issued to. */
    readonly clientId: string
    /** The authorization server that issued it; it is never sent to another. */
    readonly issuer: string
    /**
     * The refresh token. Where the server rotates, it is only the first of many: keep the later ones in a
     * store, or the next start presents one that was used before.
     */
    readonly refreshToken: Secret
  },
): CredentialProvider {
  const { refreshToken: secret, ...shared } = options
  checkOAuthOptions(name, shared, ['refreshToken'])
  required(name, 'clientId', options.clientId, 'pass the client that the token was issued to')
  required(name, 'issuer', options.issuer, 'pass the authorization server that issued the token')
  checkSecret(`${name}.refreshToken`, secret)
  let spent: string | undefined
  return oauthProvider({
    name,
    options: shared,
    interactive: true,
    unattended: true,
    widens: false,
    offline: true,
    async run(session) {
      const { context } = session
      const token = await readSecret(`${name}.refreshToken`, secret, { signal: context.signal })
      if (token === spent) throw alreadyUsed(context)
      const connection = await session.connect()
      const { scope: _asGranted, ...parameters } = session.parameters
      await context.commit()
      const response = await client.refreshTokenGrant(
        connection.configuration,
        token,
        parameters,
        connection.proof,
      )
      if (response.refresh_token !== undefined) spent = token
      return { response, connection, refreshToken: token }
    },
  })
}

function alreadyUsed({ resource }: AcquireContext): LoginRequiredError {
  return new LoginRequiredError(
    'grant_rejected',
    `${name}: the refresh token was used before, and no newer one is known.`,
    { resource, provider: name, remedy: 'Log in again and supply the new refresh token.' },
  )
}
