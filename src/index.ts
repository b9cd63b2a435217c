/**
 * Credentials for MCP client transports: providers, renewal, and a `fetch` that authenticates.
 *
 * Loads no dependency and no Node built-in.
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
  CredentialStore,
  OutgoingRequest,
  Secret,
} from './credential.ts'
export type { CredentialErrorCode, CredentialErrorOptions, LoginRequiredReason } from './errors.ts'
export {
  ConfigurationError,
  CredentialError,
  isCredentialError,
  LoginRequiredError,
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
  LoginRequired,
  RedirectRefused,
  Rejected,
  RejectIgnored,
  RequestRejected,
  RequestRetry,
} from './events.ts'
export { type Rejection, TokenManager, type TokenManagerOptions } from './manager/token-manager.ts'
export { type ApiKeyOptions, apiKey } from './providers/api-key.ts'
export { type BasicOptions, basic } from './providers/basic.ts'
export { bearer } from './providers/bearer.ts'
export { all, firstAvailable, rotating } from './providers/combinators.ts'
export { type CustomOptions, custom } from './providers/custom.ts'
export { headers } from './providers/headers.ts'
export { command, env, file } from './secret.ts'
export {
  type AuthorizedFetch,
  type AuthorizedFetchOptions,
  authorizedFetch,
} from './transport/authorized-fetch.ts'
export type { RetryPolicy } from './transport/retry.ts'
export { type CredentialTransportOptions, withCredentials } from './transport/with-credentials.ts'
export { parseChallenges } from './transport/www-authenticate.ts'
