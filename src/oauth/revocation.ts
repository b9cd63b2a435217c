/**
 * Revokes tokens.
 *
 * @module
 */
import { unsupported } from './connection.ts'
import { clientOf, type GrantSession } from './grant.ts'
import type { TokenSet } from './token.ts'

/**
 * Revokes the tokens of a login at the authorization server that issued them.
 *
 * @throws What openid-client throws when the refresh token, or the only token there is, cannot be revoked;
 * `CredentialError` with the code `unsupported_server` when the server does not support revocation,
 * `wrong_issuer` when the client's secret belongs to another server.
 * @see RFC 7009
 */
export async function revokeTokens(session: GrantSession, tokens: TokenSet): Promise<void> {
  const { name, context, server } = session
  if (server.metadata.revocation_endpoint === undefined || server.issuer !== tokens.issuer) {
    const remedy =
      'Copies of the tokens work until they expire; shorten their lifetime at the server.'
    throw unsupported(name, server, context, 'does not support revocation of these tokens', remedy)
  }
  const registered = await clientOf(tokens, session.context)
  const connection = await session.connect(registered)
  const { refreshToken, accessToken } = tokens
  // The refresh token first: without it, no new access token can be obtained.
  if (refreshToken !== undefined) {
    await connection.revoke(refreshToken, 'refresh_token')
  }
  if (accessToken.equals('') && refreshToken !== undefined) return
  try {
    await connection.revoke(accessToken, 'access_token')
  } catch (error) {
    // Some servers revoke refresh tokens only; the access token then expires soon.
    if (refreshToken === undefined) throw error
  }
}
