/** The user and their browser: what becomes of the URL of a login. */
import { addGrant } from './authorization-server.ts'
import {
  type ClientState,
  type IssuerName,
  issuerNames,
  note,
  originOf,
  partyOf,
  violate,
  type World,
} from './types.ts'

const redirectUri = 'https://app.localhost/callback'

/**
 * Logins within ten minutes that nobody has called for: what the library allows a server that rejects what each
 * login brought, or asks for more scopes, whatever came before.
 */
export const mostUnaskedLogins = 5

/** The user is asked to log in. */
export function prompted(world: World, client: ClientState): void {
  const { open, unaskedLogins, unfinishedLogouts, name } = client
  if ([...open].some(({ what }) => what === 'login')) return
  const now = world.time.elapsed()
  unaskedLogins.push(now)
  const recent = unaskedLogins.filter((at) => now - at < 600_000).length
  // A logout forgets them at some time between its call and its end, and does so also when it fails.
  if (recent > mostUnaskedLogins * (1 + unfinishedLogouts)) {
    violate(world, `${name} asks the user to log in ${recent} times within ten minutes`)
  }
}

/** Opens a URL, logs in, and comes back with the callback. */
export function showUrl(
  world: World,
  client: ClientState,
  url: URL,
  signal: AbortSignal,
): Promise<string> {
  note(world, `   ${client.name} shows ${world.canaries.describe(url.href)}`)
  prompted(world, client)
  learnRequest(world, url.searchParams, partyOf(url))
  world.recorder.received(partyOf(url), url.href, `the browser at ${url.hostname}`)
  checkRequest(world, client, url)
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    const callback = callbackOf(world, client, url)
    if (callback === undefined) return
    note(world, `   the browser returns to ${world.canaries.describe(callback)}`)
    resolve(callback)
  })
}

/** Learns what the library made up for a login; whoever sees it first owns it. */
export function learnRequest(
  { canaries, challenges }: World,
  parameters: URLSearchParams,
  party: ReturnType<typeof partyOf>,
): void {
  canaries.learn('state', parameters.get('state') ?? '', [party])
  const challenge = parameters.get('code_challenge')
  if (challenge !== null && !challenges.has(challenge)) challenges.set(challenge, party)
}

/** The request is the client's own: an endpoint's query adds nothing that the protocol gives a meaning. */
function checkRequest(world: World, { name }: ClientState, { searchParams }: URL): void {
  const wrong = (what: string) => violate(world, `${name} shows an authorization request ${what}`)
  for (const parameter of new Set(searchParams.keys())) {
    if (searchParams.getAll(parameter).length > 1) wrong(`with ${parameter} twice`)
  }
  const isPushed = searchParams.get('request_uri')?.startsWith('urn:request:') === true
  const expected: Record<string, readonly (string | null)[]> = {
    response_type: isPushed ? ['code', null] : ['code'],
    redirect_uri: isPushed ? [redirectUri, null] : [redirectUri],
    code_challenge_method: isPushed ? ['S256', null] : ['S256'],
    response_mode: [null, 'query'],
    request: [null],
  }
  for (const [parameter, values] of Object.entries(expected)) {
    const value = searchParams.get(parameter)
    if (!values.includes(value)) wrong(`with ${parameter}=${value}, which is not the client's`)
  }
  if (searchParams.has('request_uri') && !isPushed) wrong("with a request_uri of somebody else's")
  const scope = searchParams.get('scope') ?? ''
  if (scope.split(' ').includes('everything')) wrong('for scopes that nobody wants')
}

/** Where the browser ends up; `undefined`: nowhere. */
function callbackOf(world: World, client: ClientState, url: URL): string | undefined {
  const at = visited(world, client, url)
  const { user, canaries, issuers } = world
  if (at === undefined || user === 'never returns') return undefined
  const state = url.searchParams.get('state') ?? pushedStates.get(world)?.get(client) ?? ''
  const { sendsIssuer } = issuers[at]
  const iss = sendsIssuer ? { iss: originOf(at) } : {}
  const back = (parameters: Record<string, string>, to = redirectUri) =>
    `${to}?${new URLSearchParams(parameters)}`
  /** A code that the client must not use, whoever made it. */
  const forged = () => canaries.mint('code', [])
  switch (user) {
    case 'declines':
      return back({ error: 'access_denied', error_description: `no ${state}`, state, ...iss })
    case 'pastes from another origin':
      return back({ code: forged(), state, ...iss }, 'https://elsewhere.localhost/callback')
    case 'pastes an old login':
      return world.oldCallback ?? back({ code: forged(), state: 'old', ...iss })
    case 'pastes the wrong issuer': {
      const other = issuerNames.find((name) => name !== at) ?? at
      return back({ code: forged(), state, iss: originOf(other) })
    }
    default: {
      const code = canaries.mint('code', [at])
      addGrant(world, code, 'code', at)
      const callback = back({ code, state, ...iss })
      world.oldCallback = callback
      return callback
    }
  }
}

/** The hostile server sends browsers on to another, which the user believes to log in to. */
function visited({ issuers }: World, { config }: ClientState, url: URL): IssuerName | undefined {
  const at = issuerNames.find((name) => name === partyOf(url))
  const { forwardsTo } = issuers.hostile
  if (at !== 'hostile' || forwardsTo === undefined) return at
  // Where the other one does not say who it is, and nobody asks, nobody can tell the difference.
  return issuers[forwardsTo].sendsIssuer || config.requireIss ? forwardsTo : at
}

const pushedStates = new WeakMap<World, WeakMap<ClientState, string>>()

/** Remembers the state of a pushed request, which the URL does not show. */
export function rememberPushed(world: World, client: ClientState, state: string): void {
  const states = pushedStates.get(world) ?? new WeakMap<ClientState, string>()
  pushedStates.set(world, states)
  states.set(client, state)
}
