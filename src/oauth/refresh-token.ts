/**
 * Renewal with a refresh token that was obtained elsewhere.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, Secret } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { checkSecret } from '../secret.ts'
import { type Bound, bind, readBound } from './bound.ts'
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
  checkRefreshTokenOptions(options)
  const configured = bind('refresh token', secret, options.issuer)
  const read = (signal: AbortSignal) => readBound(`${name}.refreshToken`, configured, signal)
  let spent: Bound | undefined
  const provider = oauthProvider({
    name,
    options: shared,
    interactive: true,
    refusedRemedy: 'Pass the refresh token of a new login.',
    unattended: true,
    widens: false,
    offline: true,
    async run(session) {
      const { context } = session
      const token = await read(context.signal)
      if (spent?.equals(token) === true) throw alreadyUsed(context)
      const connection = await session.connect()
      const { scope: _asGranted, ...parameters } = session.parameters
      await context.commit()
      try {
        const response = await connection.refresh(token, parameters)
        return { response, connection, refreshToken: token }
      } finally {
        // Also by a response that is unusable otherwise.
        if (connection.lastRefreshToken !== undefined) spent = token
      }
    },
  })
  return {
    ...provider,
    async revoke(credential, context) {
      // Whether it was presented already or not: who logs out wants none of it.
      spent = await read(context.signal).catch(() => spent)
      return (await provider.revoke?.(credential, context)) === true
    },
  }
}

function checkRefreshTokenOptions({
  refreshToken: secret,
  ...shared
}: Parameters<typeof refreshToken>[0]): void {
  checkOAuthOptions(name, shared, ['refreshToken'])
  required(name, 'clientId', shared.clientId, 'pass the client that the token was issued to')
  required(name, 'issuer', shared.issuer, 'pass the authorization server that issued the token')
  checkSecret(`${name}.refreshToken`, secret)
}

function alreadyUsed({ resource }: AcquireContext): LoginRequiredError {
  return new LoginRequiredError(
    'grant_rejected',
    `${name}: the refresh token was used or given up before, and no newer one is known.`,
    { resource, provider: name, remedy: 'Log in again and supply the new refresh token.' },
  )
}
