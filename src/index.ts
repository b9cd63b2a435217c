/**
 * Credentials for MCP client transports: providers, renewal, and a `fetch` that authenticates.
 *
 * Loads no dependency and no Node built-in; `jwt()` loads `jose` when it mints its first token.
 *
 * @module mcp-credentials
 */
export type {
  AcquireContext,
  AcquireReason,
  Challenge,
  Credential,
  CredentialProvider,
  CredentialRecord,
  CredentialSelector,
  CredentialStore,
  FetchLike,
  ObserveResult,
  OutgoingRequest,
  PendingRenewal,
  ProviderSelection,
  ResponseHead,
  Secret,
  SelectionRequest,
} from './credential.ts'
export type {
  CredentialErrorCode,
  CredentialErrorOptions,
  LoginRequiredReason,
  StoreOperation,
} from './errors.ts'
export {
  ConfigurationError,
  CredentialError,
  DiscoveryError,
  isCredentialError,
  LoginRequiredError,
  StoreError,
} from './errors.ts'
export type {
  AcquireFailure,
  AcquireStart,
  AcquireSuccess,
  ClockOffset,
  Closed,
  Cooldown,
  CredentialEvent,
  CredentialEventContext,
  CredentialEventDetails,
  CredentialEventListener,
  HeaderReplaced,
  LockWait,
  LoggedOut,
  LoginRequired,
  PassedThrough,
  RedirectRefused,
  Rejected,
  RejectIgnored,
  RequestRejected,
  RequestRetry,
  StoreFailed,
} from './events.ts'
export type { ClockReading } from './manager/clock.ts'
export {
  type LogoutResult,
  TokenManager,
  type TokenManagerOptions,
} from './manager/token-manager.ts'
export { type ApiKeyOptions, apiKey } from './providers/api-key.ts'
export { type BasicOptions, basic } from './providers/basic.ts'
export { bearer } from './providers/bearer.ts'
export { all, firstAvailable, rotating } from './providers/combinators.ts'
export { type CustomOptions, custom } from './providers/custom.ts'
export {
  fromGoogleAuth,
  fromTokenCredential,
  type GoogleAuthLike,
  type TokenCredentialLike,
} from './providers/external.ts'
export { type FromCommandOptions, fromCommand } from './providers/from-command.ts'
export { headers } from './providers/headers.ts'
export {
  type HmacEncoding,
  type HmacHash,
  type HmacOptions,
  type HmacScheme,
  hmac,
} from './providers/hmac.ts'
export type { HmacChunk, HmacMessage, HmacParts } from './providers/hmac-template.ts'
export {
  type HttpSignatureOptions,
  type HttpSignatureSettings,
  httpSignature,
} from './providers/http-signature.ts'
export {
  type GeneratedSigningKey,
  generateSigningKey,
  type JwtClaims,
  type JwtClaimsContext,
  type JwtOptions,
  jwt,
  type SharedSecretAlgorithm,
} from './providers/jwt.ts'
export { type PerTenantOptions, perTenant } from './providers/per-tenant.ts'
export { command, env, file } from './secret.ts'
export type { AsymmetricAlgorithm, PrivateKey } from './signing-key.ts'
export { memoryStore } from './stores/memory.ts'
export { type AuthorizedFetch, authorizedFetch } from './transport/authorized-fetch.ts'
export type { AuthorizedFetchOptions } from './transport/options.ts'
export type { RetryPolicy } from './transport/retry.ts'
export { type CredentialTransportOptions, withCredentials } from './transport/with-credentials.ts'
export { parseChallenges } from './www-authenticate.ts'
