/**
 * Explains a 401 and a 403: what was sent, and what the server requires instead.
 *
 * @module
 */
import type { Challenge } from '../credential.ts'
import { refusedText } from '../transport/final-refusal.ts'
import type {
  AuthorizationFinding,
  Explanation,
  Observations,
  ObservedResponse,
} from './observations.ts'
import { loginCommand } from './remedies.ts'

type Advice = Pick<Explanation, 'text' | 'step'>

/** Known schemes with their usual spelling. Other schemes of a server are untrusted and not shown. */
const schemeNames: ReadonlyMap<string, string> = new Map([
  ['apikey', 'ApiKey'],
  ['aws4-hmac-sha256', 'AWS4-HMAC-SHA256'],
  ['basic', 'Basic'],
  ['bearer', 'Bearer'],
  ['digest', 'Digest'],
  ['dpop', 'DPoP'],
  ['hmac', 'HMAC'],
  ['mutual', 'Mutual'],
  ['negotiate', 'Negotiate'],
  ['ntlm', 'NTLM'],
  ['signature', 'Signature'],
])

/** A scheme that may be shown; `undefined`: it is not known. */
export function knownScheme(scheme: string): string | undefined {
  return schemeNames.has(scheme) ? scheme : undefined
}

/** Explains a 401: the server refuses the credential. */
export function unauthorized(
  observations: Observations,
  answer: ObservedResponse,
  finding: AuthorizationFinding,
): Explanation {
  const { text, step } =
    obtainedTokenAdvice(observations) ??
    oauthAdvice(observations, answer, finding) ??
    challengeAdvice(observations, answer) ??
    withoutChallengeAdvice(observations)
  return { code: 'unauthorized', text: `${answerText(observations, answer)} ${text}`, step }
}

/** Explains a 403: the server does not permit the request. */
export function forbidden(observations: Observations, answer: ObservedResponse): Explanation {
  const { text, step } =
    scopeAdvice(observations, answer) ?? firewallAdvice(answer) ?? permissionAdvice(observations)
  return { code: 'forbidden', text: `${answerText(observations, answer)} ${text}`, step }
}

/** Describes the refusal and its response. */
function answerText(
  observations: Observations,
  { status, contentType, challenges }: ObservedResponse,
): string {
  const { resource, provider } = observations
  const names = challenges.flatMap(({ scheme }) => schemeNames.get(scheme) ?? [])
  const challenge =
    challenges.length > 0
      ? ` and the challenge ${[...new Set(names)].join(', ') || 'of an unknown scheme'}`
      : status === 401
        ? ' and no challenge'
        : ''
  const page = contentType.includes('html') ? ', a web page' : ''
  const refused = refusedText(resource, provider.name, provider.source)
  return `${refused} with ${status}${page}${challenge}${codeText(challenges)}.`
}

/** The registered error code of a bearer challenge (RFC 6750, section 3.1); other codes are not shown. */
function codeText(challenges: readonly Challenge[]): string {
  const codes = challenges.map(({ parameters }) => parameters.get('error') ?? '')
  const registered = ['invalid_request', 'invalid_token', 'insufficient_scope']
  const found = codes.find((code) => registered.includes(code))
  return found === undefined ? '' : ` (${found})`
}

/** Explains the refusal of a token from an authorization server. */
function obtainedTokenAdvice({ provider, resource }: Observations): Advice | undefined {
  if (provider.scoped !== true) return undefined
  return {
    text: 'The authorization server issued the token, so it may be revoked, or issued for another server.',
    step: `Run ${loginCommand(resource)} to log in again, or check the options \`issuer\`, \`resource\` and \`scope\` of ${provider.name}`,
  }
}

function oauthAdvice(
  { resource, sentScheme }: Observations,
  { challenges }: ObservedResponse,
  finding: AuthorizationFinding,
): Advice | undefined {
  const hasMetadata = challenges.some(({ parameters }) => parameters.has('resource_metadata'))
  const wantsOther = challenges.length > 0 && !hasScheme(challenges, 'bearer', 'dpop')
  if (!hasMetadata && (finding === undefined || wantsOther)) return undefined
  const where = finding === undefined ? '' : ` at ${finding.issuer.origin}`
  const which = sentScheme === 'bearer' ? ', and did not accept this token' : ''
  return {
    text: `The server requires OAuth${where}${which}.`,
    step: `Use authorizationCode() or, without a user, clientCredentials() of mcp-credentials/oauth; or run ${loginCommand(resource)}`,
  }
}

function challengeAdvice(
  observations: Observations,
  { challenges }: ObservedResponse,
): Advice | undefined {
  const { provider, sentScheme } = observations
  const from = provider.source === undefined ? '' : ` (${provider.source})`
  if (hasScheme(challenges, 'bearer')) {
    return sentScheme === 'bearer'
      ? {
          text: 'The token is expired, revoked, or issued for another server.',
          step: `Replace the token${from}`,
        }
      : {
          text: `The server requires a bearer token; ${sentText(observations)}.`,
          step: "Use bearer(env('MCP_TOKEN'))",
        }
  }
  if (hasScheme(challenges, 'basic')) {
    return sentScheme === 'basic'
      ? {
          text: 'The user name or the password is wrong.',
          step: `Check the user name and the password${from}`,
        }
      : {
          text: `The server requires a user name and a password (Basic); ${sentText(observations)}.`,
          step: "Use basic({ username: 'name', password: env('MCP_PASSWORD') })",
        }
  }
  if (hasScheme(challenges, 'apikey') && provider.name === 'apiKey') {
    return {
      text: 'The key is wrong, or the server expects it in another header.',
      step: `Check the key${from}, and the option \`header\``,
    }
  }
  return otherSchemeAdvice(challenges)
}

function otherSchemeAdvice(challenges: readonly Challenge[]): Advice | undefined {
  const scheme = challenges.map((challenge) => challenge.scheme).find((one) => schemeNames.has(one))
  if (scheme === undefined) return undefined
  const text = `The server requires ${schemeNames.get(scheme) ?? scheme}.`
  if (scheme === 'dpop') {
    return { text, step: 'Use a provider of mcp-credentials/oauth with the option `dpop: true`' }
  }
  if (scheme === 'aws4-hmac-sha256') return { text, step: 'Use awsSigV4() of mcp-credentials/aws' }
  return { text, step: 'Use apiKey(), hmac() or httpSignature() if they fit; otherwise custom()' }
}

function withoutChallengeAdvice({ provider }: Observations): Advice {
  const from = provider.source === undefined ? 'the credential' : `the value of ${provider.source}`
  return {
    text: 'The response does not name the required credential.',
    step: `Check ${from}, and in which header the server expects it`,
  }
}

function scopeAdvice(
  { provider, resource }: Observations,
  answer: ObservedResponse,
): Advice | undefined {
  const demand = answer.challenges.find(
    ({ parameters }) => parameters.get('error') === 'insufficient_scope',
  )
  if (demand === undefined) return undefined
  const scope = shownScope(demand.parameters.get('scope'))
  const text =
    scope === undefined
      ? 'It lacks a scope that the server requires.'
      : `It lacks a scope: the server requires \`${scope}\`.`
  const options = scope === undefined ? [] : [`--scope '${scope}'`]
  return provider.scoped === true
    ? {
        text,
        step: `Set the option \`scope\` of ${provider.name}, or run ${loginCommand(resource, ...options)}`,
      }
    : { text, step: "Ask the server's operator for a credential that has it" }
}

/** Scopes that may be shown: a few short words without quotes. */
function shownScope(scope: string | undefined): string | undefined {
  return /^[\w.:/-]{1,60}(?: [\w.:/-]{1,60}){0,7}$/.exec(scope ?? '')?.[0]
}

function firewallAdvice({ contentType }: ObservedResponse): Advice | undefined {
  if (!contentType.includes('html')) return undefined
  return {
    text: 'The page may come from a firewall or a proxy in front of the server.',
    step: 'Check whether the server accepts programs from this network',
  }
}

function permissionAdvice({ provider }: Observations): Advice {
  const from =
    provider.source === undefined ? 'the credential' : `the credential (${provider.source})`
  return {
    text: 'The credential is known, but lacks a permission; some servers also respond with 403 to a wrong credential.',
    step: `Check ${from}, and ask the server's operator for its permissions`,
  }
}

function sentText({ provider, sentScheme }: Observations): string {
  const name = sentScheme === undefined ? undefined : schemeNames.get(sentScheme)
  return name === undefined
    ? `${provider.name} does not send one`
    : `${provider.name} sends ${name}`
}

function hasScheme(challenges: readonly Challenge[], ...schemes: readonly string[]): boolean {
  return challenges.some(({ scheme }) => schemes.includes(scheme))
}
