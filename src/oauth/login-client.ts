/**
 * The options of the clients that log users in with a browser, and their checks.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOAuthOptions, type OAuthOptions } from './options.ts'
import { checkAuthorizationParameters } from './own-endpoints.ts'
import { checkClientMetadataUrl, checkRedirectUri } from './registration.ts'

/** What logins with a browser take besides what every grant takes. */
export interface LoginClientOptions extends OAuthOptions {
  /**
   * The URL of the client's metadata document, which is its client identifier at servers that support
   * it (Client ID Metadata Documents). Publish what `clientMetadataDocument()` returns there.
   */
  readonly clientMetadataUrl?: string
  /** The name that the user sees when they are asked for consent. Default `MCP client`. */
  readonly clientName?: string
  /** Further parameters of the authorization request, such as `prompt` or `login_hint`. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /**
   * Refuse a login whose response does not name its issuer (RFC 9207). Default `false`: only servers that
   * promise to do so have to.
   */
  readonly requireIss?: boolean
}

const known: readonly string[] = [
  'clientMetadataUrl',
  'clientName',
  'authorizationParameters',
  'requireIss',
]

/**
 * Checks the options of a client that logs users in.
 *
 * @param further - The names of the options that the caller checks itself.
 * @throws `ConfigurationError` that names the option.
 */
export function checkLoginClient(
  provider: string,
  options: LoginClientOptions,
  further: readonly string[],
): void {
  checkOAuthOptions(provider, options, [...known, ...further])
  checkAuthorizationParameters(provider, options.authorizationParameters)
  const { clientMetadataUrl } = options
  if (clientMetadataUrl !== undefined) {
    checkClientMetadataUrl(`${provider}.clientMetadataUrl`, clientMetadataUrl)
  }
}

/**
 * Checks where the browser returns to.
 *
 * @throws `ConfigurationError` when it is neither https nor on this machine, or has a query.
 */
export function checkLoginRedirect(option: string, redirectUri: string): void {
  checkRedirectUri(option, redirectUri)
  if (new URL(redirectUri).search === '') return
  throw new ConfigurationError(
    option,
    `${option} must not have a query; register a path of its own instead.`,
  )
}
