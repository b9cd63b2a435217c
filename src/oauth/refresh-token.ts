/**
 * Renewal with a refresh token that was obtained elsewhere.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, Secret } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { checkSecret } from '../secret.ts'
import { type Bound, bind, fingerprintOf, readBound } from './bound.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'
import { OAuthCredential, refreshOnly } from './token.ts'

const name = 'refreshToken'

/**
 * Renews access tokens with a refresh token that was obtained elsewhere.
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
 * @throws `ConfigurationError` when an option is invalid or missing. An acquisition throws
 * `LoginRequiredError` when the server no longer accepts the token.
 * @see RFC 6749, section 6
 * @group Grants without a user
 */
export function refreshToken(
  options: OAuthOptions & {
    /** The client identifier that the refresh token was issued to. */
    readonly clientId: string
    /** The authorization server that issued it; it is never sent to another. */
    readonly issuer: string
    /**
     * The refresh token. If the server rotates refresh tokens, use a store to keep the later ones; otherwise
     * the next start sends one that was already used. A token that was rotated, or revoked by `logout()`, is
     * not sent again; a store records that, without the token.
     */
    readonly refreshToken: Secret
  },
): CredentialProvider {
  const { refreshToken: secret, ...shared } = options
  checkRefreshTokenOptions(options)
  const configured = bind('refresh token', secret, options.issuer)
  const read = (signal: AbortSignal) => readBound(`${name}.refreshToken`, configured, signal)
  let spent: Bound | undefined
  const isSpent = async (token: Bound, { records }: AcquireContext): Promise<boolean> =>
    spent?.equals(token) === true || (await records.get(await spentKey(token))) !== undefined
  const spend = async (token: Bound, { records }: AcquireContext): Promise<void> => {
    spent = token
    const note = { version: 1, provider: name, issuer: token.issuer, data: {} } as const
    // Without it only this provider knows, but the tokens were still issued or revoked.
    await records.set(await spentKey(token), note).catch(() => {})
  }
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
      if (await isSpent(token, context)) throw alreadyUsed(context)
      const connection = await session.connect()
      const { scope: _asGranted, ...parameters } = session.parameters
      await context.commit()
      try {
        const response = await connection.refresh(token, parameters)
        return { response, connection, refreshToken: token }
      } finally {
        // Even if the rest of the response is invalid.
        const { lastRefreshToken } = connection
        if (lastRefreshToken?.equals(token) === false) await spend(token, context)
      }
    },
  })
  return {
    ...provider,
    async revoke(credential, context) {
      // A logout applies to the token whether it was already sent or not.
      const token = await read(context.signal).catch(() => undefined)
      if (token !== undefined) await spend(token, context)
      return (await provider.revoke?.(credential, context)) === true
    },
    async giveUp(context) {
      const token = await read(context.signal)
      if (await isSpent(token, context).catch(() => false)) return false
      await spend(token, context)
      const login = loginOf(token, options.clientId, context)
      return (await provider.revoke?.(login, context)) === true
    },
  }
}

/** The configured token as a credential that can be revoked. */
function loginOf(refreshToken: Bound, clientId: string, { now }: AcquireContext): OAuthCredential {
  const client = { clientId, clientSecret: undefined, method: undefined, isDynamic: false }
  const { issuer } = refreshToken
  const login = { issuer, client, refreshToken, obtainedAt: now(), dpopKey: undefined }
  return new OAuthCredential(name, refreshOnly(login), undefined)
}

/** Returns the key of the record of a token that was rotated or revoked. It does not reveal the token. */
async function spentKey(token: Bound): Promise<string> {
  return `spent refresh token ${await fingerprintOf(token)} ${token.issuer}`
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
    `${name}: the refresh token was already used or revoked, and no newer one is stored.`,
    { resource, provider: name, remedy: 'Log in again and supply the new refresh token.' },
  )
}
