/**
 * Explains a 401 and a 403: what was sent, and what the server wants instead.
 *
 * @module
 */
import type { Challenge } from '../credential.ts'
import { refusedText } from '../transport/final-refusal.ts'
import { loginCommand } from './remedies.ts'
import type { AuthorizationFinding, Explanation, SeenAnswer, Sighting } from './sighting.ts'

type Advice = Pick<Explanation, 'text' | 'step'>

/** Schemes by their usual spelling. A server may have written anything, so no other is shown. */
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

/** The scheme as it may be shown; `undefined`: it is none that is known. */
export function knownScheme(scheme: string): string | undefined {
  return schemeNames.has(scheme) ? scheme : undefined
}

/** The server refuses the credential. */
export function unauthorized(
  sighting: Sighting,
  answer: SeenAnswer,
  finding: AuthorizationFinding,
): Explanation {
  const { text, step } =
    obtainedTokenAdvice(sighting) ??
    oauthAdvice(sighting, answer, finding) ??
    challengeAdvice(sighting, answer) ??
    silentAdvice(sighting)
  return { code: 'unauthorized', text: `${answerText(sighting, answer)} ${text}`, step }
}

/** The server refuses what the credential wants to do. */
export function forbidden(sighting: Sighting, answer: SeenAnswer): Explanation {
  const { text, step } =
    scopeAdvice(sighting, answer) ?? firewallAdvice(answer) ?? permissionAdvice(sighting)
  return { code: 'forbidden', text: `${answerText(sighting, answer)} ${text}`, step }
}

/** Which server refused what, with which answer. */
function answerText(sighting: Sighting, { status, contentType, challenges }: SeenAnswer): string {
  const { resource, provider } = sighting
  const names = challenges.flatMap(({ scheme }) => schemeNames.get(scheme) ?? [])
  const challenge =
    challenges.length > 0
      ? ` and the challenge ${[...new Set(names)].join(', ') || 'of a scheme that is not known'}`
      : status === 401
        ? ' and no challenge'
        : ''
  const page = contentType.includes('html') ? ', a web page' : ''
  const refused = refusedText(resource, provider.name, provider.source)
  return `${refused} with ${status}${page}${challenge}${codeText(challenges)}.`
}

/** The registered error code of a bearer challenge (RFC 6750, section 3.1); anything else is not shown. */
function codeText(challenges: readonly Challenge[]): string {
  const codes = challenges.map(({ parameters }) => parameters.get('error') ?? '')
  const registered = ['invalid_request', 'invalid_token', 'insufficient_scope']
  const found = codes.find((code) => registered.includes(code))
  return found === undefined ? '' : ` (${found})`
}

/** A provider that obtains its tokens from an authorization server has obtained one in vain. */
function obtainedTokenAdvice({ provider, resource }: Sighting): Advice | undefined {
  if (provider.scoped !== true) return undefined
  return {
    text: 'The authorization server had issued it, so it may be revoked, or be for another server.',
    step: `Run ${loginCommand(resource)} to log in anew, or check the options \`issuer\`, \`resource\` and \`scope\` of ${provider.name}`,
  }
}

function oauthAdvice(
  { resource, sentScheme }: Sighting,
  { challenges }: SeenAnswer,
  finding: AuthorizationFinding,
): Advice | undefined {
  const hasMetadata = challenges.some(({ parameters }) => parameters.has('resource_metadata'))
  const wantsOther = challenges.length > 0 && !hasScheme(challenges, 'bearer', 'dpop')
  if (!hasMetadata && (finding === undefined || wantsOther)) return undefined
  const where = finding === undefined ? '' : ` at ${finding.issuer.origin}`
  const which = sentScheme === 'bearer' ? ', and did not accept this token' : ''
  return {
    text: `The server asks for OAuth${where}${which}.`,
    step: `Use authorizationCode() or, without a user, clientCredentials() of mcp-credentials/oauth; or run ${loginCommand(resource)}`,
  }
}

function challengeAdvice(sighting: Sighting, { challenges }: SeenAnswer): Advice | undefined {
  const { provider, sentScheme } = sighting
  const from = provider.source === undefined ? '' : ` (${provider.source})`
  if (hasScheme(challenges, 'bearer')) {
    return sentScheme === 'bearer'
      ? {
          text: 'The token is expired, revoked, or for another server.',
          step: `Replace the token${from}`,
        }
      : {
          text: `The server asks for a bearer token; ${sentText(sighting)}.`,
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
          text: `The server asks for a user name and a password (Basic); ${sentText(sighting)}.`,
          step: "Use basic({ username: 'name', password: env('MCP_PASSWORD') })",
        }
  }
  if (hasScheme(challenges, 'apikey') && provider.name === 'apiKey') {
    return {
      text: 'The key is wrong, or is wanted in another header.',
      step: `Check the key${from}, and the option \`header\``,
    }
  }
  return rareSchemeAdvice(challenges)
}

function rareSchemeAdvice(challenges: readonly Challenge[]): Advice | undefined {
  const scheme = challenges.map((challenge) => challenge.scheme).find((one) => schemeNames.has(one))
  if (scheme === undefined) return undefined
  const text = `The server asks for ${schemeNames.get(scheme) ?? scheme}.`
  if (scheme === 'dpop') {
    return { text, step: 'Use a provider of mcp-credentials/oauth with the option `dpop: true`' }
  }
  if (scheme === 'aws4-hmac-sha256') return { text, step: 'Use awsSigV4() of mcp-credentials/aws' }
  return { text, step: 'Use apiKey(), hmac() or httpSignature() if they fit, or else custom()' }
}

function silentAdvice({ provider }: Sighting): Advice {
  const from = provider.source === undefined ? 'the credential' : `what ${provider.source} holds`
  return {
    text: 'The server does not say what it wants.',
    step: `Check ${from}, and in which header the server's documentation wants it`,
  }
}

function scopeAdvice({ provider, resource }: Sighting, answer: SeenAnswer): Advice | undefined {
  const demand = answer.challenges.find(
    ({ parameters }) => parameters.get('error') === 'insufficient_scope',
  )
  if (demand === undefined) return undefined
  const scope = shownScope(demand.parameters.get('scope'))
  const text =
    scope === undefined
      ? 'It lacks a scope that the server wants.'
      : `It lacks a scope: the server wants \`${scope}\`.`
  const options = scope === undefined ? [] : [`--scope '${scope}'`]
  return provider.scoped === true
    ? {
        text,
        step: `Set the option \`scope\` of ${provider.name}, or run ${loginCommand(resource, ...options)}`,
      }
    : { text, step: "Ask the server's operator for a credential that has it" }
}

/** Scopes that may be shown: a handful of short words without quotes. */
function shownScope(scope: string | undefined): string | undefined {
  return /^[\w.:/-]{1,60}(?: [\w.:/-]{1,60}){0,7}$/.exec(scope ?? '')?.[0]
}

function firewallAdvice({ contentType }: SeenAnswer): Advice | undefined {
  if (!contentType.includes('html')) return undefined
  return {
    text: 'The page may come from a firewall or a proxy in front of the server.',
    step: 'Check whether the server may be reached from this network, by programs',
  }
}

function permissionAdvice({ provider }: Sighting): Advice {
  const from =
    provider.source === undefined ? 'the credential' : `the credential (${provider.source})`
  return {
    text: 'It is known, but may not do this; some servers also answer so when it is wrong.',
    step: `Check ${from}, and ask the server's operator what it may do`,
  }
}

function sentText({ provider, sentScheme }: Sighting): string {
  const name = sentScheme === undefined ? undefined : schemeNames.get(sentScheme)
  return name === undefined
    ? `${provider.name} sends no such header`
    : `${provider.name} sends ${name}`
}

function hasScheme(challenges: readonly Challenge[], ...schemes: readonly string[]): boolean {
  return challenges.some(({ scheme }) => schemes.includes(scheme))
}
