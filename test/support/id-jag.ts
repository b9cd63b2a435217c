/**
 * A grant of an identity provider, as a client can read it; its signature is for the authorization server.
 *
 * @param changes - What differs; `undefined` removes a member.
 */
export function idJag(
  audience: string | null | undefined,
  changes: { readonly typ?: string; readonly aud?: unknown; readonly exp?: unknown } = {},
): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const { typ = 'oauth-id-jag+jwt', ...claims } = changes
  const exp = Math.floor(Date.now() / 1000) + 300
  return `${encode({ alg: 'ES256', typ })}.${encode({ aud: audience, exp, ...claims })}.id-jag-signature`
}
