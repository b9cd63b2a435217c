/**
 * Determines the kind of credential that a server requires, from its responses.
 *
 * @module
 */
import { parseChallenges } from '../../index.ts'
import { rpcOf, transportOf } from './messages.ts'
import { type Observations, responsesOf } from './observations.ts'
import { type ReceivedResponse, typeOf } from './requests.ts'

/** The kind of credential that a server requires. */
export type RequiredCredential =
  | { readonly kind: 'nothing' | 'oauth' | 'bearer' | 'basic' | 'aws' | 'cloudflare-access' }
  /** A key in a header; `isKnown`: a response names the header. */
  | { readonly kind: 'key'; readonly header: string; readonly isKnown: boolean }
  /** It is not known: this is not an MCP server, or it could not be reached. */
  | { readonly kind: 'unknown' }

/** Known headers for keys. Only these are recommended, whatever the server writes. */
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

/** The response that refuses a request without a credential. */
export function refusalIn({
  conversation,
}: Pick<Observations, 'conversation'>): ReceivedResponse | undefined {
  return responsesOf(conversation).find(({ status }) => status === 401 || status === 403)
}

/** The challenges of a response. */
export function challengesOf(reply: ReceivedResponse): ReturnType<typeof parseChallenges> {
  return parseChallenges(reply.headers.get('www-authenticate'))
}

/** Determines what the server requires. */
export function requiredCredential(observed: Observations): RequiredCredential {
  const { conversation, authorization } = observed
  if (conversation === undefined) return { kind: 'unknown' }
  if (responsesOf(conversation).some(isCloudflareAccess)) return { kind: 'cloudflare-access' }
  const refusal = refusalIn(observed)
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
  if (isAws(refusal, observed.url)) return { kind: 'aws' }
  if (isBrowserCheck(refusal)) return { kind: 'unknown' }
  if (schemes.includes('basic')) return { kind: 'basic' }
  const header = headerNamedBy(refusal)
  if (header !== undefined) return { kind: 'key', header, isKnown: true }
  if (schemes.includes('bearer')) return { kind: 'bearer' }
  return { kind: 'key', header: keyHeaders[0], isKnown: false }
}

/**
 * Whether the server accepts only tokens that are bound to a key (DPoP), by its metadata or its challenge.
 *
 * @see RFC 9728, section 2; RFC 9449, section 7.1
 */
export function requiresDpop(
  observed: Pick<Observations, 'conversation' | 'authorization'>,
): boolean {
  const refusal = refusalIn(observed)
  const schemes = refusal === undefined ? [] : challengesOf(refusal).map(({ scheme }) => scheme)
  const isChallenged = schemes.includes('dpop') && !schemes.includes('bearer')
  return isChallenged || observed.authorization?.resource?.requiresDpop === true
}

/** The known header that a response mentions. */
function headerNamedBy({ headers, body }: ReceivedResponse): string | undefined {
  const text = `${headers.get('www-authenticate') ?? ''} ${body}`.slice(0, 20_000).toLowerCase()
  return keyHeaders.find((name) =>
    new RegExp(`(?<![\\w-])${name.toLowerCase()}(?![\\w-])`).test(text),
  )
}

/** Whether AWS refused an unsigned request. */
function isAws({ status, headers, body }: ReceivedResponse, { hostname }: URL): boolean {
  if (status !== 403) return false
  const isHost = /\.(?:amazonaws\.com(?:\.cn)?|on\.aws|api\.aws)$/.test(hostname)
  return isHost || headers.has('x-amzn-errortype') || body.includes('Missing Authentication Token')
}

/** Whether Cloudflare Access protects the server. */
function isCloudflareAccess(reply: ReceivedResponse): boolean {
  const target = redirectOf(reply)
  const isLogin = target !== undefined && /\.cloudflareaccess\.com$/.test(target.hostname)
  return isLogin || challengesOf(reply).some(({ scheme }) => scheme === 'cloudflare-access')
}

/** Whether a firewall refuses clients other than browsers. */
export function isBrowserCheck({ status, headers }: ReceivedResponse): boolean {
  return status === 403 && headers.get('cf-mitigated') === 'challenge'
}

/** The target of a redirect; `undefined`: the response is not a redirect. */
export function redirectOf({ status, headers }: ReceivedResponse, base?: URL): URL | undefined {
  const location = headers.get('location')
  if (status < 300 || status >= 400 || location === null) return undefined
  return URL.canParse(location, base) ? new URL(location, base) : undefined
}

/** Whether a response is an HTML page. */
export function isPage(reply: ReceivedResponse): boolean {
  const isHtml = typeOf(reply.headers) === 'text/html' || /^\s*<(?:!doctype|html)/i.test(reply.body)
  return isHtml && rpcOf(reply) === undefined
}
