/**
 * Deviations of large authorization servers from the standards.
 *
 * @module
 */

/** Defaults for one authorization server. Options of the application take precedence. */
export interface Profile {
  /** Whether it refuses the `resource` parameter (RFC 8707). */
  readonly withoutResource?: true
  /** Whether it supports PKCE although its metadata does not announce it. */
  readonly hasPkce?: true
  /** The name of the parameter for the MCP server's identifier instead of `resource`. */
  readonly resourceAs?: string
  /** Further parameters of the authorization request, without which no refresh token is issued. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /** The issuer in its metadata where that differs from the issuer that was looked up. */
  readonly acceptIssuer?: string
  /** Whether its metadata, written only by its operator, may name endpoints at other origins. */
  readonly isTrusted?: true
}

/** Entra: the endpoints that any tenant can use (`common`, `organizations`) leave a placeholder in their issuer. */
const entra = (host: string): Profile => ({
  withoutResource: true,
  hasPkce: true,
  isTrusted: true,
  acceptIssuer: `https://${host}/{tenantid}/v2.0`,
})

const profiles: readonly (readonly [RegExp, Profile])[] = [
  [/^login\.microsoftonline\.com$/, entra('login.microsoftonline.com')],
  [/^login\.microsoftonline\.us$/, entra('login.microsoftonline.us')],
  [
    /^login\.(?:partner\.microsoftonline|chinacloudapi)\.cn$/,
    entra('login.partner.microsoftonline.cn'),
  ],
  [
    /^accounts\.google\.com$/,
    {
      withoutResource: true,
      isTrusted: true,
      authorizationParameters: { access_type: 'offline', prompt: 'consent' },
    },
  ],
  [/\.auth0\.com$/, { resourceAs: 'audience' }],
  [/^cognito-idp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/, { hasPkce: true, isTrusted: true }],
]

/** The profile of an issuer; empty for one that keeps to the standards, or is not known. */
export function profileOf(issuer: string): Profile {
  const hostname = URL.canParse(issuer) ? new URL(issuer).hostname : ''
  return profiles.find(([host]) => host.test(hostname))?.[1] ?? {}
}
