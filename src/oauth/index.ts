/**
 * OAuth for MCP clients: every grant, with discovery, registration, renewal and proof of possession.
 *
 * @module mcp-credentials/oauth
 */
export {
  type AuthorizationCodeOptions,
  authorizationCode,
} from './authorization-code.ts'
export {
  type ClientAuthentication,
  type PrivateKeyJwtAuthentication,
  type PrivateKeyJwtOptions,
  privateKeyJwt,
  type SecretMethod,
} from './client-auth.ts'
export { type ClientCredentialsOptions, clientCredentials } from './client-credentials.ts'
export { type DeviceCodeOptions, type DeviceLogin, deviceCode } from './device-code.ts'
export { type DiscoverOptions, type Discovery, discover } from './discover.ts'
export type { DpopAlgorithm, DpopOptions } from './dpop.ts'
export {
  type EnterpriseManagedOptions,
  enterpriseManaged,
  type IdentityProvider,
} from './enterprise-managed.ts'
export { oauthExtensions } from './extensions.ts'
export { type JwtBearerOptions, jwtBearer } from './jwt-bearer.ts'
export type { OAuthOptions } from './options.ts'
export { type RefreshTokenOptions, refreshToken } from './refresh-token.ts'
export { type ClientDescription, clientMetadataDocument } from './registration.ts'
export { savedLogin } from './saved-login.ts'
export { type TokenEndpointOptions, tokenEndpoint } from './token-endpoint.ts'
export { type TokenExchangeOptions, type TokenType, tokenExchange } from './token-exchange.ts'
