/**
 * Providers in the shapes of the official SDKs, for frameworks that accept nothing else.
 *
 * @module
 */
import type { Credential, CredentialProvider } from '../credential.ts'
import type { TokenManagerOptions } from '../manager/options.ts'
import { TokenManager } from '../manager/token-manager.ts'
import { withLoginTimeout } from '../transport/login-timeout.ts'
import { checkTransportSecurity } from '../transport/origin.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { bareToken } from './bare-token.ts'

/** What SDK 2.x calls an `AuthProvider`. */
export interface SdkAuthProvider {
  /** The current access token; called before each request. */
  token(): Promise<string | undefined>
  /** Renews after a 401; the SDK then sends the request once more. */
  onUnauthorized(context: { readonly response: Response }): Promise<void>
  /** Keeps the credential. */
  readonly manager: TokenManager
}

/** What SDK 1.x calls an `OAuthClientProvider`, with the members that it needs here. */
export interface SdkOAuthClientProvider {
  /** Never visited: it keeps the SDK from requesting tokens by itself. */
  readonly redirectUrl: string
  /** Never sent. */
  readonly clientMetadata: Record<'redirect_uris', string[]>
  /** Tells the SDK what it would look up otherwise. */
  discoveryState(): Record<'authorizationServerUrl', string> &
    Record<'resourceMetadata', Record<'resource', string>> &
    Record<
      'authorizationServerMetadata',
      Record<'issuer' | 'authorization_endpoint' | 'token_endpoint', string> &
        Record<'response_types_supported' | 'code_challenge_methods_supported', string[]>
    >
  /** Never sent. */
  clientInformation(): Record<'client_id', string>
  /** The current access token; called before each request. */
  tokens(): Promise<Record<'access_token' | 'token_type', string>>
  /** Never called, because the SDK receives no tokens. */
  saveTokens(): void
  /** Renews after a 401. The SDK ends the request with an `UnauthorizedError`; repeat it. */
  redirectToAuthorization(): Promise<void>
  /** Not needed. */
  saveCodeVerifier(): void
  /** Not needed. */
  codeVerifier(): string
  /** Keeps the credential. */
  readonly manager: TokenManager
}

/**
 * A provider of bearer tokens as the `authProvider` of SDK 2.x. Prefer `withCredentials`, which can also
 * sign requests, prove possession and step up.
 *
 * @example
 * ```ts
 * import { toAuthProvider } from 'mcp-credentials/mcp'
 * import { clientCredentials, privateKeyJwt } from 'mcp-credentials/oauth'
 * import { file } from 'mcp-credentials'
 *
 * const clientAuth = privateKeyJwt({ key: file('key.pem') })
 * const authProvider = toAuthProvider(clientCredentials({ clientId: 'agent', clientAuth }), {
 *   resource: 'https://mcp.example.com/mcp',
 * })
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong. `token()` throws `CredentialError`
 * with the code `invalid_credential` when the provider's credential is no bearer token.
 */
export function toAuthProvider(
  provider: CredentialProvider,
  options: TokenManagerOptions,
): SdkAuthProvider {
  const manager = managerOf(provider, options)
  const credential = () => withLoginTimeout(manager, undefined, () => manager.credential())
  let used: Credential | undefined
  return {
    manager,
    async token() {
      if (manager.wantsChallenge) return undefined
      used = await credential()
      return bareToken(used, manager)
    },
    async onUnauthorized({ response: { status, headers } }) {
      const challenges = parseChallenges(headers.get('WWW-Authenticate'))
      if (used === undefined) manager.challenged(challenges)
      else manager.invalidate(used, { challenges, status })
      await credential()
    },
  }
}

/**
 * A provider of bearer tokens as the `authProvider` of SDK 1.x. The SDK itself then registers, discovers
 * and requests nothing. After a 401 it cannot repeat a request, so its `UnauthorizedError` means: the
 * credential has been renewed, try again. Prefer `withCredentials`, which repeats it.
 *
 * @throws `ConfigurationError` when an option is wrong. `tokens()` throws `CredentialError`
 * with the code `invalid_credential` when the provider's credential is no bearer token.
 */
export function toOAuthClientProvider(
  provider: CredentialProvider,
  options: TokenManagerOptions,
): SdkOAuthClientProvider {
  const manager = managerOf(provider, options)
  const credential = () => withLoginTimeout(manager, undefined, () => manager.credential())
  const { origin, href } = manager.resource
  const unused = `${origin}/unused`
  let used: Credential | undefined
  return {
    manager,
    redirectUrl: unused,
    clientMetadata: { redirect_uris: [unused] },
    discoveryState: () => ({
      authorizationServerUrl: origin,
      resourceMetadata: { resource: href },
      authorizationServerMetadata: {
        issuer: origin,
        authorization_endpoint: unused,
        token_endpoint: unused,
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
      },
    }),
    clientInformation: () => ({ client_id: 'unused' }),
    async tokens() {
      used = await credential()
      return { access_token: await bareToken(used, manager), token_type: 'Bearer' }
    },
    saveTokens() {},
    async redirectToAuthorization() {
      if (used !== undefined) manager.invalidate(used)
      await credential()
    },
    saveCodeVerifier() {},
    codeVerifier: () => '',
  }
}

function managerOf(provider: CredentialProvider, options: TokenManagerOptions): TokenManager {
  const manager = new TokenManager(provider, options)
  checkTransportSecurity(manager.resource, false)
  return manager
}
