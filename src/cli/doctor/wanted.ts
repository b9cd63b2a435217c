/**
 * What kind of credential a server seems to want, by what it answered.
 *
 * @module
 */
import { parseChallenges } from '../../index.ts'
import { type Reply, typeOf } from './ask.ts'
import { rpcOf, transportOf } from './messages.ts'
import { repliesOf, type Seen } from './seen.ts'

/** What a server wants. */
export type Wanted =
  | { readonly kind: 'nothing' | 'oauth' | 'bearer' | 'basic' | 'aws' | 'cloudflare-access' }
  /** A key in a header; `isKnown`: the server said which. */
  | { readonly kind: 'key'; readonly header: string; readonly isKnown: boolean }
  /** It cannot be told: this is no MCP server, or it could not be asked. */
  | { readonly kind: 'unknown' }

/** Headers that servers are known to take keys in. Only these are recommended, whatever a server writes. */
const keyHeaders = [
  'X-API-Key',
  'X-Api-Token',
  'X-Auth-Token',
  'X-Access-Token',
  'X-Goog-Api-Key',
  'Ocp-Apim-Subscription-Key',
  'Private-Token',
  'Api-Key',
] as const

/** The answer by which the server refuses a request without a credential. */
export function refusalIn({ conversation }: Pick<Seen, 'conversation'>): Reply | undefined {
  return repliesOf(conversation).find(({ status }) => status === 401 || status === 403)
}

/** The challenges of an answer. */
export function challengesOf(reply: Reply): ReturnType<typeof parseChallenges> {
  return parseChallenges(reply.headers.get('www-authenticate'))
}

/** Decides what the server wants. */
export function wantedBy(seen: Seen): Wanted {
  const { conversation, authorization } = seen
  if (conversation === undefined) return { kind: 'unknown' }
  if (repliesOf(conversation).some(isCloudflareAccess)) return { kind: 'cloudflare-access' }
  const refusal = refusalIn(seen)
  if (refusal === undefined) {
    const transport = transportOf(conversation)
    return { kind: transport === 'none' || transport === 'unknown' ? 'unknown' : 'nothing' }
  }
  const challenges = challengesOf(refusal)
  const schemes = challenges.map(({ scheme }) => scheme)
  const namesMetadata = challenges.some(({ parameters }) => parameters.has('resource_metadata'))
  const hasMetadata = authorization?.resource !== undefined
  const hasIssuers = (authorization?.issuers.length ?? 0) > 0
  if (namesMetadata || hasMetadata || hasIssuers) return { kind: 'oauth' }
  if (isAws(refusal, seen.url)) return { kind: 'aws' }
  if (isBrowserCheck(refusal)) return { kind: 'unknown' }
  if (schemes.includes('basic')) return { kind: 'basic' }
  const header = headerNamedBy(refusal)
  if (header !== undefined) return { kind: 'key', header, isKnown: true }
  if (schemes.includes('bearer')) return { kind: 'bearer' }
  return { kind: 'key', header: keyHeaders[0], isKnown: false }
}

/**
 * Whether the server takes only tokens that are bound to a key (DPoP): by its metadata, or by its challenge.
 *
 * @see RFC 9728, section 2; RFC 9449, section 7.1
 */
export function requiresDpop(seen: Pick<Seen, 'conversation' | 'authorization'>): boolean {
  const refusal = refusalIn(seen)
  const schemes = refusal === undefined ? [] : challengesOf(refusal).map(({ scheme }) => scheme)
  const isChallenged = schemes.includes('dpop') && !schemes.includes('bearer')
  return isChallenged || seen.authorization?.resource?.requiresDpop === true
}

/** The header that an answer mentions. */
function headerNamedBy({ headers, body }: Reply): string | undefined {
  const text = `${headers.get('www-authenticate') ?? ''} ${body}`.slice(0, 20_000).toLowerCase()
  return keyHeaders.find((name) =>
    new RegExp(`(?<![\\w-])${name.toLowerCase()}(?![\\w-])`).test(text),
  )
}

/** Whether AWS refuses a request that is not signed. */
function isAws({ status, headers, body }: Reply, { hostname }: URL): boolean {
  if (status !== 403) return false
  const isHost = /\.(?:amazonaws\.com(?:\.cn)?|on\.aws|api\.aws)$/.test(hostname)
  return isHost || headers.has('x-amzn-errortype') || body.includes('Missing Authentication Token')
}

/** Whether Cloudflare Access stands before the server. */
function isCloudflareAccess(reply: Reply): boolean {
  const target = redirectOf(reply)
  const isLogin = target !== undefined && /\.cloudflareaccess\.com$/.test(target.hostname)
  return isLogin || challengesOf(reply).some(({ scheme }) => scheme === 'cloudflare-access')
}

/** Whether a firewall refuses what does not look like a browser. */
export function isBrowserCheck({ status, headers }: Reply): boolean {
  return status === 403 && headers.get('cf-mitigated') === 'challenge'
}

/** Where an answer redirects to; `undefined`: it does not. */
export function redirectOf({ status, headers }: Reply, base?: URL): URL | undefined {
  const location = headers.get('location')
  if (status < 300 || status >= 400 || location === null) return undefined
  return URL.canParse(location, base) ? new URL(location, base) : undefined
}

/** Whether an answer is a page for a browser. */
export function isPage(reply: Reply): boolean {
  const isHtml = typeOf(reply.headers) === 'text/html' || /^\s*<(?:!doctype|html)/i.test(reply.body)
  return isHtml && rpcOf(reply) === undefined
}
