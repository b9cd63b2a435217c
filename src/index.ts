/**
 * Credentials for MCP client transports: providers, renewal, and a `fetch` that authenticates.
 *
 * Loads no dependency and no Node built-in; `jwt()` loads `jose` when it mints its first token.
 *
 * @example
 * ```ts
 * import { apiKey, env, withCredentials } from 'mcp-credentials'
 *
 * const options = withCredentials(apiKey({ value: env('MCP_API_KEY') }))
 * // new StreamableHTTPClientTransport(url, options)
 * ```
 *
 * @module mcp-credentials
 * @group API: Core
 */

export type { AuditEvent } from './audit-events.ts'
export type {
  AcquireContext,
  Challenge,
  Credential,
  CredentialProvider,
  CredentialRecord,
  CredentialSelector,
  CredentialStore,
  FetchLike,
  OutgoingRequest,
  ResponseHead,
  Secret,
  SelectionRequest,
} from './credential.ts'
export type {
  CredentialErrorCode,
  CredentialErrorOptions,
  DiscoveryErrorOptions,
  StoreErrorOptions,
} from './errors.ts'
export {
  ConfigurationError,
  CredentialError,
  DiscoveryError,
  isCredentialError,
  LoginRequiredError,
  StoreError,
} from './errors.ts'
export type { CredentialEvent, CredentialEventListener } from './events.ts'
export type { TokenManagerOptions } from './manager/options.ts'
export { type LogoutOptions, type LogoutResult, TokenManager } from './manager/token-manager.ts'
export { apiKey } from './providers/api-key.ts'
export { basic } from './providers/basic.ts'
export { bearer } from './providers/bearer.ts'
export { all, firstAvailable, rotating } from './providers/combinators.ts'
export { custom } from './providers/custom.ts'
export { fromGoogleAuth, fromTokenCredential } from './providers/external.ts'
export { fromCommand } from './providers/from-command.ts'
export { generateSigningKey } from './providers/generate-signing-key.ts'
export { headers } from './providers/headers.ts'
export { type HmacOptions, hmac } from './providers/hmac.ts'
export { type HttpSignatureOptions, httpSignature } from './providers/http-signature.ts'
export { type JwtOptions, jwt } from './providers/jwt.ts'
export { type PerTenantOptions, perTenant } from './providers/per-tenant.ts'
export { command, env, file } from './secret.ts'
export type { AsymmetricAlgorithm, PrivateKey } from './signing-key.ts'
export { type AuthorizedFetch, authorizedFetch } from './transport/authorized-fetch.ts'
export {
  type HeadersOfOptions,
  headersOf,
  type LiveHeaders,
  liveHeaders,
} from './transport/headers-of.ts'
export type { AuthorizedFetchOptions } from './transport/options.ts'
export type { RetryPolicy } from './transport/retry.ts'
export { type CredentialTransportOptions, withCredentials } from './transport/with-credentials.ts'
export { parseChallenges } from './www-authenticate.ts'
