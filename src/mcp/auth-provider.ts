/**
 * Providers in the form of the official SDKs' interfaces, for frameworks that accept only those.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import type { TokenManagerOptions } from '../manager/options.ts'
import type { TokenManager } from '../manager/token-manager.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { bareToken } from './bare-token.ts'
import { CredentialUses } from './credential-uses.ts'
import { credentialForRequest, manage } from './managed.ts'

/**
 * The `AuthProvider` of SDK 2.x.
 *
 * @group Interfaces of the SDK
 */
export interface SdkAuthProvider {
  /** The current access token; called before each request. */
  token(): Promise<string | undefined>
  /** Renews the credential after a 401; the SDK then retries the request once. */
  onUnauthorized(context: { readonly response: Response }): Promise<void>
  /** The manager of the credential. */
  readonly manager: TokenManager
}

/**
 * The `OAuthClientProvider` of SDK 1.x, with the members that it requires.
 *
 * @group Interfaces of the SDK
 */
export interface SdkOAuthClientProvider {
  /** Never visited: it prevents the SDK from requesting tokens itself. */
  readonly redirectUrl: string
  /** Never sent. */
  readonly clientMetadata: Record<'redirect_uris', string[]>
  /** Provides the metadata that the SDK would otherwise discover. */
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
  /** Renews the credential after a 401. The SDK rejects the request with an `UnauthorizedError`; repeat it. */
  redirectToAuthorization(): Promise<void>
  /** Not needed. */
  saveCodeVerifier(): void
  /** Not needed. */
  codeVerifier(): string
  /** The manager of the credential. */
  readonly manager: TokenManager
}

/**
 * Converts a provider of bearer tokens to the `authProvider` of SDK 2.x. Prefer `withCredentials`, which
 * can also sign requests, prove possession and step up.
 *
 * The SDK reports only the first refusal of a request, so a token counts as accepted when another request
 * with it follows. If tokens are revoked between rare requests, the server looks like one that refuses
 * every token, and renewals become less frequent; `withCredentials` sees the responses.
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
 * @throws `ConfigurationError` when an option is invalid. `token()` throws `CredentialError` with the code
 *   `invalid_credential` when the provider's credential is not a bearer token.
 * @group Interfaces of the SDK
 */
export function toAuthProvider(
  provider: CredentialProvider,
  options: TokenManagerOptions,
): SdkAuthProvider {
  const managed = manage(provider, options, false)
  const { manager, port } = managed
  const uses = new CredentialUses(port, options.now ?? Date.now)
  return {
    manager,
    async token() {
      const credential = port.wantsChallenge ? undefined : await credentialForRequest(managed)
      uses.begin(credential)
      return credential === undefined ? undefined : bareToken(credential, port)
    },
    async onUnauthorized({ response: { status, headers } }) {
      uses.refused({ challenges: parseChallenges(headers.get('WWW-Authenticate')), status })
      await credentialForRequest(managed)
      uses.expectRetry()
    },
  }
}

/**
 * Converts a provider of bearer tokens to the `authProvider` of SDK 1.x. The SDK itself then discovers,
 * registers and requests nothing. It does not retry a request after a 401, so its `UnauthorizedError`
 * means: the credential was renewed, try again. Prefer `withCredentials`, which retries the request.
 *
 * @throws `ConfigurationError` when an option is invalid. `tokens()` throws `CredentialError` with the code
 *   `invalid_credential` when the provider's credential is not a bearer token.
 *
 * @example
 * ```ts
 * import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
 * import { bearer, file } from 'mcp-credentials'
 * import { toOAuthClientProvider } from 'mcp-credentials/mcp'
 *
 * const url = new URL('https://mcp.example.com/mcp')
 * const authProvider = toOAuthClientProvider(bearer(file('token')), { resource: url })
 * const transport = new StreamableHTTPClientTransport(url, { authProvider })
 * ```
 * @group Interfaces of the SDK
 */
export function toOAuthClientProvider(
  provider: CredentialProvider,
  options: TokenManagerOptions,
): SdkOAuthClientProvider {
  const managed = manage(provider, options, false)
  const { manager, port } = managed
  const uses = new CredentialUses(port, options.now ?? Date.now)
  const { origin, href } = manager.resource
  const unused = `${origin}/unused`
  // After a refusal the SDK requests the client and then the token, to check whether it can be refreshed.
  let refusals = 0
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
    clientInformation() {
      refusals += 1
      return { client_id: 'unused' }
    },
    async tokens() {
      const isForRequest = refusals === 0
      if (!isForRequest) refusals -= 1
      const credential = await credentialForRequest(managed)
      if (isForRequest) uses.begin(credential)
      return { access_token: await bareToken(credential, port), token_type: 'Bearer' }
    },
    saveTokens() {},
    async redirectToAuthorization() {
      uses.refused({})
      await credentialForRequest(managed)
    },
    saveCodeVerifier() {},
    codeVerifier: () => '',
  }
}
