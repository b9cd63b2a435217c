/**
 * The options of the clients that log users in with a browser, and their checks.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkRegistration } from './client-identity.ts'
import { checkClientMetadataUrl, checkRedirectUri } from './client-metadata.ts'
import { checkOAuthOptions, type OAuthOptions } from './options.ts'
import { checkAuthorizationParameters } from './own-endpoints.ts'

/**
 * The options of logins with a browser, in addition to those of every grant.
 *
 * @group Logins of users
 */
export interface LoginClientOptions extends OAuthOptions {
  /**
   * The URL of the client's metadata document, which is its client identifier at servers that support
   * it (Client ID Metadata Documents). Publish what `clientMetadataDocument()` returns there.
   */
  readonly clientMetadataUrl?: string
  /**
   * The credentials for a server with restricted client registration: an initial access token, a software
   * statement, or both (RFC 7591). They need `issuer`, and are sent to no other server.
   */
  readonly registration?: {
    /** The token that authorizes the registration. Read for each registration. */
    readonly initialAccessToken?: Secret
    /** A JWT about the software from an issuer that the server trusts. Read for each registration. */
    readonly softwareStatement?: Secret
  }
  /** The name that the user sees on the consent page. Default `MCP client`. */
  readonly clientName?: string
  /**
   * Further parameters of the authorization request, such as `prompt` or `login_hint`. They take precedence
   * over the requirements of an MCP server (`acr_values`, `max_age`), except for a smaller `max_age`.
   */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /**
   * Whether to refuse a login whose response does not name its issuer (RFC 9207). Default `false`: required
   * only of servers that announce it. Set it, or `issuer`, where users choose MCP servers: a hostile server
   * could otherwise redirect the user to an honest one that does not name itself, and receive the code and
   * the verifier of that login. With a public client, whose identifier is not secret, it can redeem them
   * (mix-up, RFC 9700, section 4.4).
   */
  readonly requireIss?: boolean
}

const knownOptions: readonly string[] = [
  'clientMetadataUrl',
  'registration',
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
  checkOAuthOptions(provider, options, [...knownOptions, ...further])
  checkAuthorizationParameters(provider, options.authorizationParameters)
  checkRegistration(provider, options)
  checkAssertion(provider, options)
  const { clientMetadataUrl } = options
  if (clientMetadataUrl !== undefined) {
    checkClientMetadataUrl(`${provider}.clientMetadataUrl`, clientMetadataUrl)
  }
}

/**
 * Checks the redirect URI of a login.
 *
 * @throws `ConfigurationError` when it is neither https nor on this machine, or has a query.
 */
export function checkLoginRedirect(option: string, redirectUri: string): void {
  checkRedirectUri(option, redirectUri)
  if (new URL(redirectUri).search === '') return
  throw new ConfigurationError(
    option,
    `${option} must not have a query; register a separate path instead.`,
  )
}

/** Checks that an assertion has a client, and that a client with a public metadata document has no secret. */
function checkAssertion(
  provider: string,
  { clientId, clientMetadataUrl, clientAuth }: LoginClientOptions,
): void {
  if (typeof clientAuth !== 'object' || clientId !== undefined) return
  const isSecret = clientAuth.method === 'client_secret_jwt'
  if (clientMetadataUrl !== undefined && !isSecret) return
  throw new ConfigurationError(
    `${provider}.clientAuth`,
    isSecret
      ? `${provider}.clientAuth: clientSecretJwt() needs \`clientId\`; a client with a metadata document uses privateKeyJwt().`
      : `${provider}.clientAuth needs \`clientId\` or \`clientMetadataUrl\`; a client that registers itself receives its own method of authentication.`,
  )
}
