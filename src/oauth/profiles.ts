/**
 * What large authorization servers do differently from the standards.
 *
 * @module
 */

/** Defaults for one authorization server. Options of the application win over them. */
export interface Profile {
  /** It refuses the `resource` parameter (RFC 8707). */
  readonly withoutResource?: true
  /** It supports PKCE although its metadata does not say so. */
  readonly hasPkce?: true
  /** The name of the parameter that takes the MCP server's identifier instead of `resource`. */
  readonly resourceAs?: string
  /** Further parameters of the authorization request, without which no refresh token is issued. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /** The issuer that its metadata names where that differs from the one that led to it. */
  readonly acceptIssuer?: string
  /** Its operator alone writes the metadata, which names endpoints at other origins. */
  readonly isVouched?: true
}

/** Entra: the endpoints that any tenant can use (`common`, `organizations`) leave a placeholder in their issuer. */
const entra = (host: string): Profile => ({
  withoutResource: true,
  hasPkce: true,
  isVouched: true,
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
      isVouched: true,
      authorizationParameters: { access_type: 'offline', prompt: 'consent' },
    },
  ],
  [/\.auth0\.com$/, { resourceAs: 'audience' }],
  [/^cognito-idp\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/, { hasPkce: true, isVouched: true }],
]

/** The profile of an issuer; empty for one that keeps to the standards, or is not known. */
export function profileOf(issuer: string): Profile {
  const hostname = URL.canParse(issuer) ? new URL(issuer).hostname : ''
  return profiles.find(([host]) => host.test(hostname))?.[1] ?? {}
}
