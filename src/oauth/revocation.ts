/**
 * Revokes tokens.
 *
 * @module
 */
import { clientOf, type GrantSession } from './grant.ts'
import type { TokenSet } from './token.ts'

/**
 * Revokes the tokens of a login at the authorization server that issued them.
 *
 * @returns Whether the login has ended: the server revoked the refresh token, or the only token there is.
 * @throws What openid-client throws when the refresh token cannot be revoked; `CredentialError` with the code
 * `wrong_issuer` when the client's secret belongs to another server.
 * @see RFC 7009
 */
export async function revokeTokens(session: GrantSession, tokens: TokenSet): Promise<boolean> {
  const registered = await clientOf(tokens, session.context)
  const connection = await session.connect(registered)
  const { refreshToken, accessToken } = tokens
  // The refresh token first: without it, no new access token can be obtained.
  if (refreshToken !== undefined) {
    await connection.revoke(refreshToken, 'refresh_token')
  }
  try {
    await connection.revoke(accessToken, 'access_token')
    return true
  } catch {
    // Some servers revoke refresh tokens only; the access token then expires soon.
    return refreshToken !== undefined
  }
}
