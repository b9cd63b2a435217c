/**
 * Revokes tokens.
 *
 * @module
 */
import { tokenRevocation } from 'openid-client'
import { clientOf, type GrantSession } from './grant.ts'
import type { TokenSet } from './token.ts'

/**
 * Revokes the tokens of a login at the authorization server that issued them.
 *
 * @returns Whether the login has ended: the server revoked the refresh token, or the only token there is.
 * @throws What openid-client throws when the refresh token cannot be revoked.
 * @see RFC 7009
 */
export async function revokeTokens(session: GrantSession, tokens: TokenSet): Promise<boolean> {
  const registered = await clientOf(tokens, session.context)
  const { configuration } = await session.connect(registered)
  const { refreshToken, accessToken } = tokens
  // The refresh token first: without it, no new access token can be obtained.
  if (refreshToken !== undefined) {
    await tokenRevocation(configuration, refreshToken, { token_type_hint: 'refresh_token' })
  }
  try {
    await tokenRevocation(configuration, accessToken, { token_type_hint: 'access_token' })
    return true
  } catch {
    // Some servers revoke refresh tokens only; the access token then expires soon.
    return refreshToken !== undefined
  }
}
