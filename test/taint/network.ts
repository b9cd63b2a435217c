/** The network: every request is read, checked, and answered by the party that it reaches. */
import type { FetchLike } from '../../src/index.ts'
import { type Answer, answerOfIssuer, challengeOf, type Exchange } from './authorization-server.ts'
import { counted, sleep } from './clock.ts'
import { answerOfResource, checkToken } from './mcp-server.ts'
import {
  type ClientState,
  type IssuerName,
  issuerNames,
  note,
  originOf,
  type Party,
  partyOf,
  resourceNames,
  violate,
  type World,
} from './types.ts'
import { learnRequest, rememberPushed } from './user.ts'

const turn = setImmediate

/** The `fetch` of a client. */
export function networkOf(world: World, client: () => ClientState): FetchLike {
  const send: FetchLike = async (input, init = {}) => {
    const { signal } = init
    signal?.throwIfAborted()
    const exchange = exchangeOf(client(), input, init)
    const party = partyOf(exchange.url)
    inspect(world, party, exchange)
    exchange.client.underWay += 1
    try {
      // As a socket does, even the fastest.
      await counted(new Promise<void>((resolve) => void turn(resolve)))
      // It is answered when it arrives; the answer may take its time, and things may change meanwhile.
      const answer = answerOf(world, party, exchange)
      await wait(world, slownessOf(world, party), signal ?? undefined)
      signal?.throwIfAborted()
      const location = answer.headers?.['location']
      if (location !== undefined && init.redirect !== 'manual') {
        note(world, `      ${party}: redirects to ${location}, which is followed`)
        return await send(location, withoutCredential(init))
      }
      return delivered(world, party, answer)
    } finally {
      exchange.client.underWay -= 1
    }
  }
  return send
}

/** What the platform drops when a redirect leads to another origin. */
function withoutCredential(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers)
  headers.delete('authorization')
  return { ...init, headers }
}

function exchangeOf(client: ClientState, input: string | URL, init: RequestInit): Exchange {
  const { method = 'GET', body } = init
  const text =
    body instanceof Uint8Array ? Buffer.from(body).toString('latin1') : String(body ?? '')
  return {
    client,
    method,
    url: new URL(input),
    headers: new Headers(init.headers),
    body: text,
    form: new URLSearchParams(text.startsWith('{') ? '' : text),
  }
}

/** Everything that is looked at before the request is answered. */
function inspect(world: World, party: Party, exchange: Exchange): void {
  const { client, method, url, headers, body, form } = exchange
  const { canaries, recorder } = world
  const lines = [...headers].map(([name, value]) => `${name}: ${value}`)
  const shown = `${headers.get('authorization') ?? ''} ${form}`.trim().slice(0, 400)
  note(world, `   ${client.name} -> ${method} ${url.href} ${canaries.describe(shown)}`)
  if (client.closed) violate(world, `${client.name} sends a request to ${party} after its close()`)
  const verifier = form.get('code_verifier')
  if (verifier !== null) {
    const owner = world.challenges.get(challengeOf(verifier))
    canaries.learn('verifier', verifier, owner === undefined ? [] : [owner])
  }
  if (url.pathname === '/par') {
    learnRequest(world, form, party)
    rememberPushed(world, client, form.get('state') ?? '')
  }
  checkAssertion(world, party, exchange)
  presentGrants(world, party, exchange)
  if (resourceNames.some((name) => name === party)) checkToken(world, exchange)
  const sent = [method, url.href, ...lines, '', body].join('\n')
  recorder.received(party, sent, `${party} (from ${client.name})`, readerOf(form))
}

/** The server for which another is asked for a grant; it has to be told the scopes. */
function readerOf(form: URLSearchParams): Party | undefined {
  const isForAnother = form.get('requested_token_type')?.endsWith(':id-jag') === true
  return isForAnother ? partyOf(form.get('audience') ?? '') : undefined
}

/** An assertion of the client is for whom it says, and is sent once. */
function checkAssertion(world: World, party: Party, { client, form }: Exchange): void {
  const assertion = form.get('client_assertion')
  if (assertion === null) return
  const payload = Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()
  const { aud } = JSON.parse(payload) as { aud?: string | string[] }
  const audience = [aud ?? ''].flat()
  if (!audience.every((each) => mayReceive(world, partyOf(each), party))) {
    violate(world, `${party} receives a client assertion for ${audience.join(', ')}`)
  }
  if (world.assertions.has(assertion)) violate(world, `${client.name} sends an assertion twice`)
  world.assertions.add(assertion)
}

/** A server may let another do its work, by the endpoints that it names. */
function mayReceive(world: World, owner: Party, party: Party): boolean {
  return owner === party || (world.delegates.get(owner)?.has(party) ?? false)
}

/** A grant that can be used once is presented once, and not after it was given up. */
function presentGrants(world: World, party: Party, { client, form }: Exchange): void {
  // To revoke a token is not to use it.
  if (!form.has('grant_type')) return
  for (const value of form.values()) {
    const grant = world.grants.get(value)
    if (grant === undefined) continue
    const how = `${client.name} presents ${grant.label} to ${party}`
    if (grant.spent) violate(world, `${how} again, after it was used`)
    const isOnce = grant.kind === 'code' || grant.kind === 'identity assertion'
    if (isOnce && grant.presented > 0) violate(world, `${how} a second time`)
    if (grant.givenUp !== undefined) violate(world, `${how} after ${grant.givenUp}`)
    grant.presented += 1
    if (grant.kind === 'refresh token') grant.holders.add(client)
  }
}

function slownessOf({ issuers, resources }: World, party: Party): number {
  const state = { ...issuers, ...resources }[party as IssuerName]
  return state?.slow ?? 0
}

function answerOf(world: World, party: Party, exchange: Exchange): Answer {
  const issuer = issuerNames.find((name) => name === party)
  if (issuer !== undefined) return answerOfIssuer(world, world.issuers[issuer], exchange)
  const resource = resourceNames.find((name) => name === party)
  if (resource !== undefined) return answerOfResource(world, world.resources[resource], exchange)
  return { status: 404, body: {} }
}

function delivered(world: World, party: Party, answer: Answer): Response {
  const { status = 200, headers = {}, body = '', lost, summary, delivered: onDelivered } = answer
  if (lost === true) {
    note(world, `      ${party}: the answer is lost`)
    const cause = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    throw new TypeError('fetch failed', { cause })
  }
  onDelivered?.()
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const said = summary ?? `${headers['location'] ?? headers['www-authenticate'] ?? ''} ${text}`
  note(world, `      ${party}: ${status} ${world.canaries.describe(said).slice(0, 300)}`)
  return new Response(status === 204 ? null : text, {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

async function wait(world: World, seconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (seconds === 0) return
  await Promise.race([
    sleep(world.time, seconds),
    new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    }),
  ])
}

/** Writes down whose endpoints a server's metadata names from now on. */
export function delegate({ delegates }: Pick<World, 'delegates'>, owner: IssuerName, to: Party) {
  const known = delegates.get(owner) ?? new Set<Party>()
  delegates.set(owner, known.add(to))
}

/** The place to which passers-by send something without a credential. */
export const elsewhere = `${originOf('elsewhere')}/hook`
