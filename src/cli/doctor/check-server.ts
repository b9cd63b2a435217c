/**
 * Checks the transport of a server, and how it requests a credential.
 *
 * @module
 */
import { labelOf } from '../labels.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import { rpcOf, serverDescriptionOf, transportOf, transportToUse, versionsIn } from './messages.ts'
import { type Conversation, type Observations, responsesOf } from './observations.ts'
import { type ReceivedResponse, typeOf } from './requests.ts'
import {
  challengesOf,
  isBrowserCheck,
  isPage,
  redirectOf,
  refusalIn,
  requiredCredential,
} from './required-credential.ts'
import { cleaned, listed, quoted } from './untrusted-text.ts'

/** Checks the responses of the server. */
export function checkServer(observed: Observations): readonly Finding[] {
  const { conversation } = observed
  if (conversation === undefined || responsesOf(conversation).length === 0) return []
  return [
    ...checkTransport(observed, conversation),
    ...checkExtensions(conversation),
    ...checkRefusal(observed),
  ]
}

function checkTransport({ url }: Observations, conversation: Conversation): readonly Finding[] {
  const { post, elsewhere } = conversation
  const transport = transportOf(conversation)
  if (transport === 'sse') {
    return [
      note(
        'transport',
        'The server supports HTTP+SSE, the transport of MCP 2024-11-05, but not Streamable HTTP.',
        'Use SSEClientTransport, or connect() of mcp-credentials/mcp, which tries both.',
      ),
    ]
  }
  if (transport === 'unknown') {
    const isStream = transportToUse(conversation, url) === 'sse'
    const assumed = isStream
      ? 'HTTP+SSE is assumed because of its path'
      : 'Streamable HTTP is assumed'
    const text = `The server refuses the request before its transport is known, which is correct. ${assumed}.`
    return [ok('transport', text)]
  }
  if (transport === 'streamable-http' && post.kind === 'response') return [spoken(post)]
  return [notMcp(url, conversation, elsewhere)]
}

function spoken(post: ReceivedResponse): Finding {
  const server = serverDescriptionOf(post)
  if (server !== undefined) {
    const { name, version, protocolVersion } = server
    const who = `${quoted(name)}${typeof version === 'string' ? `, version ${quoted(version)}` : ''}`
    const which = protocolVersion === undefined ? '' : `, protocol ${protocolVersion}`
    return ok('transport', `The server supports Streamable HTTP${which}. Its name is ${who}.`)
  }
  const versions = versionsIn(post)
  if (versions.length > 0) {
    const text = `The server supports Streamable HTTP, but only these protocol versions: ${listed(versions)}.`
    return note('transport', text, 'Use a client that supports one of them.')
  }
  const error = rpcOf(post)?.['error'] as { readonly code?: unknown; readonly message?: unknown }
  const code = typeof error?.code === 'number' ? ` ${error.code}` : ''
  const said = typeof error?.message === 'string' ? `: ${quoted(error.message)}` : ''
  return note(
    'transport',
    `The server supports Streamable HTTP, but responds to \`initialize\` with the error${code}${said}.`,
    'If clients work with it, you can ignore this.',
  )
}

function notMcp(
  url: URL,
  conversation: Conversation,
  elsewhere: Conversation['elsewhere'],
): Finding {
  const [reply] = responsesOf(conversation)
  if (elsewhere.length > 0) {
    const places = elsewhere.slice(0, 3).map(({ url: place }) => labelOf(place))
    const what = reply === undefined ? '' : ` (status ${reply.status})`
    return problem(
      'transport',
      `There is no MCP server at this path${what}, but probably at ${places.join(' and ')}.`,
      `Use ${places[0]}.`,
    )
  }
  if (reply === undefined) return problem('transport', 'No MCP server responds.', 'Check the URL.')
  return withoutServer(reply, url)
}

function withoutServer(reply: ReceivedResponse, url: URL): Finding {
  const { status } = reply
  const target = redirectOf(reply, url)
  if (target !== undefined) {
    const isOwn = target.origin === url.origin
    return problem(
      'transport',
      `The server redirects to ${labelOf(target)} (status ${status}).${isOwn ? '' : ' The target may be the login page of a gateway.'}`,
      isOwn
        ? 'Use that URL if it is the server that you want.'
        : 'Ask the operator for a URL or a gateway credential that works without a browser. Credentials do not follow redirects to other servers.',
    )
  }
  if (status === 429) {
    return problem('transport', 'The server limits requests (status 429).', 'Try again later.')
  }
  if (status >= 500) {
    const isGateway = status >= 502 && status <= 504
    return problem(
      'transport',
      isGateway
        ? `A gateway responds, but the server behind it does not (status ${status}).`
        : `The server fails (status ${status}).`,
      "Try again later, or contact the server's operator.",
    )
  }
  if (isPage(reply)) {
    const title = /<title[^>]*>([^<]{1,200})/i.exec(reply.body)?.[1]
    const isLogin = /<input[^>]+type=["']?password|sign[ -]?in|log[ -]?in/i.test(reply.body)
    const what = isLogin ? 'a login page' : 'a web page'
    return problem(
      'transport',
      `The server responds with ${what}${title === undefined ? '' : `, ${quoted(title)}`} (status ${status}), not with MCP.`,
      'Check the path; servers are often at /mcp or /sse. If a login page protects the server, ask its operator for an API key.',
    )
  }
  if (status === 404 || status === 405 || status === 410) {
    return problem(
      'transport',
      `There is no MCP server at this path (status ${status}) or at the usual paths.`,
      "Check the path in the server's documentation.",
    )
  }
  return problem(
    'transport',
    `The server responds with status ${status}, ${typeOf(reply.headers)}, not with MCP.`,
    'Check the URL.',
  )
}

function checkExtensions({ post }: Conversation): readonly Finding[] {
  const extensions = post.kind === 'response' ? (serverDescriptionOf(post)?.extensions ?? []) : []
  if (extensions.length === 0) return []
  return [ok('extensions', `It declares extensions: ${listed(extensions)}.`)]
}

function checkRefusal(observed: Observations): readonly Finding[] {
  const { conversation, authorization } = observed
  const refusal = refusalIn(observed)
  if (refusal === undefined) {
    if (requiredCredential(observed).kind === 'cloudflare-access') return [cloudflareAccess]
    const isOpen = conversation !== undefined && transportOf(conversation) !== 'none'
    if (!isOpen) return []
    const isOptional = (authorization?.issuers.length ?? 0) > 0
    const text = 'The server requires no credential.'
    if (!isOptional) return [ok('challenge', text)]
    const more = 'It publishes authorization metadata, so some tools may require one.'
    return [note('challenge', `${text} ${more}`)]
  }
  if (isBrowserCheck(refusal)) return [browserCheck]
  const { tools } = conversation ?? {}
  const late = tools === refusal ? ' It accepts `initialize` and refuses `tools/list`.' : ''
  return [
    refusal.status === 401
      ? challenge(observed, refusal, late)
      : forbidden(observed, refusal, late),
  ]
}

const cloudflareAccess: Finding = problem(
  'challenge',
  'Cloudflare Access protects the server, and requires a login with a browser.',
  'Ask the operator for a service token, and send it in the headers CF-Access-Client-Id and CF-Access-Client-Secret.',
)

const browserCheck: Finding = problem(
  'challenge',
  'A firewall (Cloudflare) refuses clients other than browsers with status 403.',
  'Ask the operator to exempt the path of the MCP server from the browser check.',
)

function challenge(observed: Observations, refusal: ReceivedResponse, late: string): Finding {
  const challenges = challengesOf(refusal)
  const required = requiredCredential(observed)
  if (challenges.length === 0) {
    return note(
      'challenge',
      `The server responds with 401 without WWW-Authenticate, so the required credential is not known.${late}`,
      required.kind === 'oauth'
        ? 'The server should send the header with `resource_metadata` (RFC 9728, section 5.1).'
        : "It may require an API key: check the server's documentation.",
    )
  }
  const names = listed(challenges.map(({ scheme }) => scheme))
  const hasMetadata = challenges.some(({ parameters }) => parameters.has('resource_metadata'))
  const errors = challenges.flatMap(({ parameters }) => parameters.get('error') ?? [])
  const scopes = challenges.flatMap(({ parameters }) => parameters.get('scope') ?? [])
  const detail = [
    ...(hasMetadata ? ['names its metadata'] : []),
    ...(scopes.length > 0 ? [`requires the scopes ${quoted(scopes[0])}`] : []),
    ...(errors.length > 0 ? [`contains the error ${quoted(errors[0])}`] : []),
  ]
  const more = detail.length === 0 ? '' : ` The challenge ${detail.join(', and ')}.`
  const text = `The server responds with 401 and these challenges: ${names}.${more}${late}`
  if (required.kind === 'oauth' && !hasMetadata) {
    const remedy = 'The challenge should contain `resource_metadata` (RFC 9728, section 5.1).'
    return note('challenge', `${text} Its metadata was found at a well-known URL.`, remedy)
  }
  return ok('challenge', text)
}

function forbidden(observed: Observations, refusal: ReceivedResponse, late: string): Finding {
  const { kind } = requiredCredential(observed)
  if (kind === 'aws')
    return ok('challenge', `AWS refuses requests that are not signed (403).${late}`)
  const said = saidBy(refusal)
  return note(
    'challenge',
    `The server responds with 403 to a request without a credential; 401 would allow a challenge.${said}${late}`,
    kind === 'oauth'
      ? 'The server should respond with 401 and WWW-Authenticate; otherwise clients may not log in.'
      : "It may require an API key, or allow only certain networks: check the server's documentation.",
  )
}

function saidBy({ body }: ReceivedResponse): string {
  const text = cleaned(body, 100)
  return text === '' || /^[<{[]/.test(text) ? '' : ` The body is ${quoted(text)}.`
}
