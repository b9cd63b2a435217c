/**
 * Judges the transport of a server, and how it asks for a credential.
 *
 * @module
 */
import { labelOf } from '../labels.ts'
import { type Reply, typeOf } from './ask.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import { rpcOf, serverOf, transportOf, transportToUse, versionsIn } from './messages.ts'
import { type Conversation, repliesOf, type Seen } from './seen.ts'
import { cleaned, listed, quoted } from './shown.ts'
import { challengesOf, isBrowserCheck, isPage, redirectOf, refusalIn, wantedBy } from './wanted.ts'

/** Judges the answers of the server. */
export function judgeServer(seen: Seen): readonly Finding[] {
  const { conversation } = seen
  if (conversation === undefined || repliesOf(conversation).length === 0) return []
  return [
    ...judgeTransport(seen, conversation),
    ...judgeExtensions(conversation),
    ...judgeRefusal(seen),
  ]
}

function judgeTransport({ url }: Seen, conversation: Conversation): readonly Finding[] {
  const { post, elsewhere } = conversation
  const transport = transportOf(conversation)
  if (transport === 'sse') {
    return [
      note(
        'transport',
        'The server speaks HTTP+SSE, the transport of 2024-11-05, and not Streamable HTTP.',
        'Use SSEClientTransport, or connect() of mcp-credentials/mcp, which tries both.',
      ),
    ]
  }
  if (transport === 'unknown') {
    const isStream = transportToUse(conversation, url) === 'sse'
    const assumed = isStream ? 'HTTP+SSE is assumed, by its path' : 'Streamable HTTP is assumed'
    const text = `The server refuses before it shows its transport, as it should. ${assumed}.`
    return [ok('transport', text)]
  }
  if (transport === 'streamable-http' && post.kind === 'reply') return [spoken(post)]
  return [notMcp(url, conversation, elsewhere)]
}

function spoken(post: Reply): Finding {
  const server = serverOf(post)
  if (server !== undefined) {
    const { name, version, protocolVersion } = server
    const who = `${quoted(name)}${typeof version === 'string' ? `, version ${quoted(version)}` : ''}`
    const which = protocolVersion === undefined ? '' : `, protocol ${protocolVersion}`
    return ok('transport', `The server speaks Streamable HTTP${which}. It calls itself ${who}.`)
  }
  const versions = versionsIn(post)
  if (versions.length > 0) {
    const text = `The server speaks Streamable HTTP, and only these versions of the protocol: ${listed(versions)}.`
    return note('transport', text, 'Use a client that speaks one of them.')
  }
  const error = rpcOf(post)?.['error'] as { readonly code?: unknown; readonly message?: unknown }
  const code = typeof error?.code === 'number' ? ` ${error.code}` : ''
  const said = typeof error?.message === 'string' ? `: ${quoted(error.message)}` : ''
  return note(
    'transport',
    `The server speaks Streamable HTTP, but answers \`initialize\` with the error${code}${said}.`,
    'If a client works with it all the same, nothing is wrong.',
  )
}

function notMcp(
  url: URL,
  conversation: Conversation,
  elsewhere: Conversation['elsewhere'],
): Finding {
  const [reply] = repliesOf(conversation)
  if (elsewhere.length > 0) {
    const places = elsewhere.slice(0, 3).map(({ url: place }) => labelOf(place))
    const what = reply === undefined ? '' : ` (status ${reply.status})`
    return problem(
      'transport',
      `There is no MCP server at this path${what}, but one seems to be at ${places.join(' and ')}.`,
      `Use ${places[0]}.`,
    )
  }
  if (reply === undefined) return problem('transport', 'No MCP server answers.', 'Check the URL.')
  return withoutServer(reply, url)
}

function withoutServer(reply: Reply, url: URL): Finding {
  const { status } = reply
  const target = redirectOf(reply, url)
  if (target !== undefined) {
    const isOwn = target.origin === url.origin
    return problem(
      'transport',
      `The server redirects to ${labelOf(target)} (status ${status}).${isOwn ? '' : ' It may be a login page of a gateway.'}`,
      isOwn
        ? 'Use that URL, if that is the server you mean.'
        : 'Ask the operator for a URL, or for a credential of the gateway, that works without a browser. Credentials do not follow redirects to other servers.',
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
        ? `A gateway answers, but not the server behind it (status ${status}).`
        : `The server fails (status ${status}).`,
      "Try again later, or contact the server's operator.",
    )
  }
  if (isPage(reply)) {
    const title = /<title[^>]*>([^<]{1,200})/i.exec(reply.body)?.[1]
    const isLogin = /<input[^>]+type=["']?password|sign[ -]?in|log[ -]?in/i.test(reply.body)
    const what = isLogin ? 'a page to log in' : 'a web page'
    return problem(
      'transport',
      `The server answers with ${what}${title === undefined ? '' : `, ${quoted(title)}`} (status ${status}), and not with MCP.`,
      'Check the path; servers are often at /mcp or /sse. If a login page protects the server, ask its operator for an API key.',
    )
  }
  if (status === 404 || status === 405 || status === 410) {
    return problem(
      'transport',
      `There is nothing at this path that takes MCP messages (status ${status}), nor at the usual ones.`,
      "Check the path in the server's documentation.",
    )
  }
  return problem(
    'transport',
    `The server answers with status ${status}, ${typeOf(reply.headers)}, and not with MCP.`,
    'Check the URL.',
  )
}

function judgeExtensions({ post }: Conversation): readonly Finding[] {
  const extensions = post.kind === 'reply' ? (serverOf(post)?.extensions ?? []) : []
  if (extensions.length === 0) return []
  return [ok('extensions', `It declares extensions: ${listed(extensions)}.`)]
}

function judgeRefusal(seen: Seen): readonly Finding[] {
  const { conversation, authorization } = seen
  const refusal = refusalIn(seen)
  if (refusal === undefined) {
    if (wantedBy(seen).kind === 'cloudflare-access') return [cloudflareAccess]
    const isOpen = conversation !== undefined && transportOf(conversation) !== 'none'
    if (!isOpen) return []
    const isOptional = (authorization?.issuers.length ?? 0) > 0
    const text = 'The server asks for no credential.'
    if (!isOptional) return [ok('challenge', text)]
    const more = 'It publishes authorization metadata, so single tools may ask for one.'
    return [note('challenge', `${text} ${more}`)]
  }
  if (isBrowserCheck(refusal)) return [browserCheck]
  const { tools } = conversation ?? {}
  const late = tools === refusal ? ' It lets `initialize` pass, and refuses `tools/list`.' : ''
  return [refusal.status === 401 ? challenge(seen, refusal, late) : forbidden(seen, refusal, late)]
}

const cloudflareAccess: Finding = problem(
  'challenge',
  'Cloudflare Access stands before the server, and wants a login in a browser.',
  'Ask for a service token, and send it in the headers CF-Access-Client-Id and CF-Access-Client-Secret.',
)

const browserCheck: Finding = problem(
  'challenge',
  'A firewall (Cloudflare) refuses what is no browser, with status 403.',
  'The operator has to exempt the path of the MCP server from that check.',
)

function challenge(seen: Seen, refusal: Reply, late: string): Finding {
  const challenges = challengesOf(refusal)
  const wanted = wantedBy(seen)
  if (challenges.length === 0) {
    return note(
      'challenge',
      `The server answers 401 without WWW-Authenticate, so it does not say what it wants.${late}`,
      wanted.kind === 'oauth'
        ? 'It should send the header with `resource_metadata` (RFC 9728, section 5.1).'
        : "It may want an API key: look into the server's documentation.",
    )
  }
  const names = listed(challenges.map(({ scheme }) => scheme))
  const hasMetadata = challenges.some(({ parameters }) => parameters.has('resource_metadata'))
  const errors = challenges.flatMap(({ parameters }) => parameters.get('error') ?? [])
  const scopes = challenges.flatMap(({ parameters }) => parameters.get('scope') ?? [])
  const detail = [
    ...(hasMetadata ? ['names its metadata'] : []),
    ...(scopes.length > 0 ? [`asks for the scopes ${quoted(scopes[0])}`] : []),
    ...(errors.length > 0 ? [`gives the error ${quoted(errors[0])}`] : []),
  ]
  const more = detail.length === 0 ? '' : ` It ${detail.join(', and ')}.`
  const text = `The server answers 401 and asks for: ${names}.${more}${late}`
  if (wanted.kind === 'oauth' && !hasMetadata) {
    const remedy = 'It should name `resource_metadata` in the challenge (RFC 9728, section 5.1).'
    return note('challenge', `${text} Its metadata was found at a well-known place.`, remedy)
  }
  return ok('challenge', text)
}

function forbidden(seen: Seen, refusal: Reply, late: string): Finding {
  const { kind } = wantedBy(seen)
  if (kind === 'aws')
    return ok('challenge', `AWS refuses requests that are not signed (403).${late}`)
  const said = saidBy(refusal)
  return note(
    'challenge',
    `The server answers 403 to a request without a credential, where 401 would say what it wants.${said}${late}`,
    kind === 'oauth'
      ? 'The server should answer 401 with WWW-Authenticate, or clients may not log in.'
      : "It may want an API key, or allow certain networks only: look into the server's documentation.",
  )
}

function saidBy({ body }: Reply): string {
  const text = cleaned(body, 100)
  return text === '' || /^[<{[]/.test(text) ? '' : ` It says ${quoted(text)}.`
}
