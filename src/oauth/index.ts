/**
 * OAuth for MCP clients: every grant, with discovery, registration, renewal and proof of possession.
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { defaultStore } from 'mcp-credentials/auto'
 * import { authorizationCode } from 'mcp-credentials/oauth'
 *
 * const options = withCredentials(authorizationCode(), { store: defaultStore() })
 * ```
 *
 * @module mcp-credentials/oauth
 * @group API: Logins and OAuth
 */
export { type AuthorizationCodeOptions, authorizationCode } from './authorization-code.ts'
export type { ClientAssertion } from './client-assertion.ts'
export type { ClientAuthentication } from './client-auth.ts'
export { clientCredentials } from './client-credentials.ts'
export { clientMetadataDocument } from './client-metadata.ts'
export { clientSecretJwt } from './client-secret-jwt.ts'
export { deviceCode } from './device-code.ts'
export { discover } from './discover.ts'
export { enterpriseManaged } from './enterprise-managed.ts'
export { oauthExtensions } from './extensions.ts'
export { jwtBearer } from './jwt-bearer.ts'
export type { LoginClientOptions } from './login-client.ts'
export type { OAuthOptions } from './options.ts'
export { allowOnly, type OAuthPolicy, type OAuthStep } from './policy.ts'
export { privateKeyJwt } from './private-key-jwt.ts'
export { refreshToken } from './refresh-token.ts'
export { savedLogin } from './saved-login.ts'
export { tokenEndpoint } from './token-endpoint.ts'
export { tokenExchange } from './token-exchange.ts'
