/**
 * The grant that an identity provider issues for one authorization server (ID-JAG).
 *
 * @module
 */
import { fromBase64 } from '../encoding.ts'
import { parseObject } from './endpoint.ts'

/** How far two clocks may differ, in milliseconds. */
const toleranceMs = 60_000

/**
 * Returns what is wrong with a grant before it is presented; `undefined`: nothing. The authorization server
 * verifies its signature.
 *
 * @param audience - The issuer of the authorization server that the grant was requested for.
 * @param now - The identity provider's time, in milliseconds since the epoch.
 * @see draft-ietf-oauth-identity-assertion-authz-grant, section 3
 */
export function idJagProblem(grant: string, audience: string, now: number): string | undefined {
  const [header, claims] = grant.split('.', 2).map(partOf)
  const type = String(header?.['typ'] ?? '').toLowerCase()
  // RFC 7515, section 4.1.9: the prefix may be left out.
  if (type.replace(/^application\//, '') !== 'oauth-id-jag+jwt') {
    return 'is a token of a different type'
  }
  const { aud, exp } = claims ?? {}
  const isFor = Array.isArray(aud) ? aud.includes(audience) : aud === audience
  if (!isFor) return 'is for another server'
  const isCurrent = typeof exp === 'number' && exp * 1000 > now - toleranceMs
  return isCurrent ? undefined : 'has expired or has no expiry'
}

function partOf(encoded: string): Record<string, unknown> | undefined {
  const bytes = fromBase64(encoded)
  return bytes === undefined ? undefined : parseObject(new TextDecoder().decode(bytes))
}
