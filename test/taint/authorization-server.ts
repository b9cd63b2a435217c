/** Three authorization servers: their documents, and what they answer. */
import { createHash } from 'node:crypto'
import {
  type ClientState,
  endpointNames,
  type GrantState,
  type IssuerState,
  nextNumber,
  originOf,
  partyOf,
  type TokenManner,
  urlOf,
  type World,
} from './types.ts'

/** What a server was sent. */
export interface Exchange {
  readonly client: ClientState
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: string
  readonly form: URLSearchParams
}

/** What it answers; `undefined`: nothing, although it has done what was asked. */
export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string | object
  readonly lost?: true
  /** How a story tells it. Default: headers and body. */
  readonly summary?: string
  /** The client has got the answer. */
  readonly delivered?: () => void
}

export function answerOfIssuer(world: World, state: IssuerState, exchange: Exchange): Answer {
  const { pathname } = exchange.url
  if (pathname === '/.well-known/oauth-authorization-server') {
    return { body: metadataOf(state), summary: summaryOf(state) }
  }
  if (pathname === '/token') return token(world, state, exchange)
  if (pathname === '/register') return register(world, state, exchange)
  if (pathname === '/revoke') return revoke(world, state, exchange)
  if (pathname === '/device') return authorizeDevice(world, state)
  if (pathname === '/par') return push(world, state)
  return { status: 404, body: {} }
}

const members = {
  authorize: 'authorization_endpoint',
  token: 'token_endpoint',
  register: 'registration_endpoint',
  revoke: 'revocation_endpoint',
  device: 'device_authorization_endpoint',
  par: 'pushed_authorization_request_endpoint',
} as const

function metadataOf(state: IssuerState): object {
  const { name, endpoints, query, sendsIssuer, pushed, wantsCertificates } = state
  const foreign = endpointNames.filter(
    (endpoint) => ![undefined, name].includes(endpoints[endpoint]),
  )
  const aliases = foreign.map((endpoint) => [
    members[endpoint],
    `${originOf(endpoints[endpoint] ?? name)}/${endpoint}`,
  ])
  const urls = endpointNames.flatMap((endpoint) => {
    const party = wantsCertificates && endpoint !== 'authorize' ? name : endpoints[endpoint]
    const tail = endpoint === 'authorize' && query !== '' ? `?${query}` : ''
    return party === undefined ? [] : [[members[endpoint], `${originOf(party)}/${endpoint}${tail}`]]
  })
  return {
    issuer: originOf(name),
    ...Object.fromEntries(urls),
    ...(wantsCertificates ? { mtls_endpoint_aliases: Object.fromEntries(aliases) } : {}),
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ],
    ...(sendsIssuer ? { authorization_response_iss_parameter_supported: true } : {}),
    ...(pushed ? { require_pushed_authorization_requests: true } : {}),
  }
}

function summaryOf({ name, endpoints, query, pushed }: IssuerState): string {
  const foreign = endpointNames.filter((endpoint) => endpoints[endpoint] !== name)
  const named = foreign.map((endpoint) => `${endpoint} of ${endpoints[endpoint]}`)
  const extras = [query === '' ? '' : `?${query}`, pushed ? 'wants requests to be pushed' : '']
  return `its metadata: ${[...named, ...extras].filter((text) => text !== '').join(', ') || 'its own endpoints'}`
}

function takeManner(state: IssuerState): TokenManner {
  if (state.answersLeft <= 0) return 'ok'
  state.answersLeft -= 1
  return state.manner
}

function token(world: World, state: IssuerState, exchange: Exchange): Answer {
  const { form } = exchange
  const manner = takeManner(state)
  if (manner === 'redirect') {
    const other = state.name === 'hostile' ? 'honest' : 'hostile'
    return { status: 307, headers: { location: `${originOf(other)}/token` } }
  }
  if (manner === 'busy') return { status: 503, headers: { 'retry-after': '3' }, body: 'busy' }
  const refusal = refusalOf(manner, exchange) ?? deviceRefusal(world, exchange)
  if (refusal !== undefined) return refusal
  const grant = grantIn(world, form)
  // Whoever asks the hostile server gets something.
  const accepts = state.name === 'hostile' || !needsGrant(form) || isValid(grant, state)
  if (!accepts) return { status: 400, body: { error: 'invalid_grant' } }
  if (form.get('requested_token_type')?.endsWith(':id-jag') === true) {
    return identityAssertion(world, state, form)
  }
  if (grant?.kind === 'code') grant.spent = true
  return issue(world, state, exchange, manner, grant)
}

const needsGrant = (form: URLSearchParams) =>
  ['code', 'refresh_token', 'device_code'].some((name) => form.has(name))

function grantIn(world: World, form: URLSearchParams): GrantState | undefined {
  const values = ['code', 'refresh_token', 'device_code', 'assertion'].map((name) => form.get(name))
  return values.map((value) => world.grants.get(value ?? '')).find((grant) => grant !== undefined)
}

function isValid(grant: GrantState | undefined, { name }: IssuerState): boolean {
  return grant?.issuer === name && !grant.spent && grant.givenUp === undefined
}

function refusalOf(manner: TokenManner, { headers, body, form }: Exchange): Answer | undefined {
  const authorization = headers.get('authorization') ?? ''
  const basic = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
  const said = `${body} ${[...form.values()].join(' ')} ${authorization} ${basic}`
  // Descriptions take printable ASCII only; a header no more than a line.
  const text = said.replace(/[^\x20-\x7e]|["\\]/g, '')
  switch (manner) {
    case 'refused':
      return { status: 400, body: { error: 'invalid_grant', error_description: text } }
    case 'client refused':
      return { status: 401, body: { error: 'invalid_client', error_description: text } }
    case 'echoing error':
      return { status: 400, body: { error: 'invalid_request', error_description: text } }
    case 'echoing challenge': {
      const challenge = `Basic realm="${text}", error="invalid_client", error_description="${text}"`
      return { status: 401, headers: { 'www-authenticate': challenge }, body: said }
    }
    default:
      return undefined
  }
}

function deviceRefusal(world: World, { form }: Exchange): Answer | undefined {
  if (!form.has('device_code')) return undefined
  if (world.user === 'declines') return { status: 400, body: { error: 'access_denied' } }
  const isWaiting = world.user === 'never returns'
  return isWaiting ? { status: 400, body: { error: 'authorization_pending' } } : undefined
}

function identityAssertion(world: World, state: IssuerState, form: URLSearchParams): Answer {
  const audience = form.get('audience') ?? ''
  const reader = Object.values(world.issuers).find(({ name }) => originOf(name) === audience)
  const owners = [state.name, ...(reader === undefined ? [] : [reader.name])]
  const value = world.canaries.mint('identity assertion', owners)
  addGrant(world, value, 'identity assertion', reader?.name ?? state.name)
  return {
    body: {
      access_token: value,
      issued_token_type: form.get('requested_token_type') ?? '',
      token_type: 'N_A',
      expires_in: 300,
    },
  }
}

/** Remembers a grant that a server has made. */
export function addGrant(
  world: World,
  value: string,
  kind: GrantState['kind'],
  issuer: GrantState['issuer'],
): GrantState {
  const label = world.canaries.describe(value)
  const grant: GrantState = {
    kind,
    issuer,
    label,
    spent: false,
    presented: 0,
    givenUp: undefined,
    holders: new Set(),
  }
  world.grants.set(value, grant)
  return grant
}

/** The manners whose answers hold no refresh token that can be read. */
const unreadable: readonly TokenManner[] = ['truncated', 'page', 'lost']

function issue(
  world: World,
  state: IssuerState,
  { client, headers, form }: Exchange,
  manner: TokenManner,
  before: GrantState | undefined,
): Answer {
  const { name, rotates, grantsMore } = state
  const reader = partyOf(form.get('resource') ?? urlOf(client.config.resource))
  const accessToken = world.canaries.mint('access token', [name, reader])
  const label = world.canaries.describe(accessToken)
  const holders = new Set([client])
  const known = { issuer: name, label, givenUpBy: new Set<ClientState>(), holders, revoked: false }
  world.tokens.set(accessToken, known)
  const isRenewal = before?.kind === 'refresh token'
  const refreshToken =
    isRenewal && !rotates ? undefined : world.canaries.mint('refresh token', [name])
  if (refreshToken !== undefined) {
    addGrant(world, refreshToken, 'refresh token', name).holders.add(client)
  }
  const scope = form.get('scope')
  const isBound = headers.has('dpop') && manner !== 'plain bearer'
  const more = grantsMore ? { scope: `${scope ?? 'read'} ${scopeOf(world, name)}` } : {}
  const body = {
    access_token: accessToken,
    token_type: isBound ? 'DPoP' : 'Bearer',
    expires_in: 900,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    ...(scope === null ? {} : { scope }),
    ...more,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
  }
  const delivered = () => {
    if (before === undefined || unreadable.includes(manner)) return
    before.holders.add(client)
    // Without a new one, a refresh token goes on.
    if (!isRenewal || refreshToken !== undefined) before.spent = true
  }
  return { ...written(body, manner), delivered }
}

function written(body: Record<string, unknown>, manner: TokenManner): Answer {
  const { token_type: _type, ...withoutType } = body
  const { access_token: accessToken, ...withoutToken } = body
  switch (manner) {
    case 'wrong type':
      return { body: { ...body, token_type: 'mac' } }
    case 'no type':
      return { body: withoutType }
    case 'no access token':
      return { body: withoutToken }
    case 'unusable access token':
      return { body: { ...body, access_token: `${String(accessToken)} \n` } }
    case 'truncated':
      return { body: JSON.stringify(body).slice(0, -2) }
    case 'page':
      return { body: `<p>${JSON.stringify(body)}`, headers: { 'content-type': 'text/html' } }
    case 'lost':
      return { lost: true }
    default:
      return { body }
  }
}

const scopes = new WeakMap<World, Map<string, string>>()

/** The scope that this server grants to whoever asks, and no other server knows. */
function scopeOf(world: World, name: IssuerState['name']): string {
  const known = scopes.get(world) ?? new Map<string, string>()
  scopes.set(world, known)
  const scope = known.get(name) ?? world.canaries.mint('scope', [name])
  known.set(name, scope)
  return scope
}

function register(world: World, state: IssuerState, { body }: Exchange): Answer {
  const { name, registersAs, wantsCertificates } = state
  const clientId =
    registersAs === 'the known client' ? 'agent' : `${name}-client-${nextNumber(world)}`
  const secret = world.canaries.mint('registration secret', [name])
  return {
    status: 201,
    summary: `registers ${clientId}, with ${world.canaries.describe(secret)}`,
    body: {
      ...(JSON.parse(body) as object),
      client_id: clientId,
      client_secret: secret,
      token_endpoint_auth_method: wantsCertificates ? 'tls_client_auth' : 'client_secret_post',
    },
  }
}

function revoke(world: World, state: IssuerState, { form, body }: Exchange): Answer {
  if (state.failsToRevoke) {
    return { status: 400, body: { error: 'unsupported_token_type', error_description: body } }
  }
  const accessToken = world.tokens.get(form.get('token') ?? '')
  if (accessToken !== undefined) accessToken.revoked = true
  const grant = world.grants.get(form.get('token') ?? '')
  if (grant !== undefined && grant.issuer === state.name) grant.givenUp ??= 'its revocation'
  return { body: '' }
}

function authorizeDevice(world: World, { name }: IssuerState): Answer {
  const deviceCode = world.canaries.mint('device code', [name])
  addGrant(world, deviceCode, 'device code', name)
  const verification = `${originOf(name)}/enter`
  return {
    body: {
      device_code: deviceCode,
      user_code: `USER-${nextNumber(world)}`,
      verification_uri: verification,
      expires_in: 120,
      interval: 5,
    },
  }
}

function push(world: World, { name }: IssuerState): Answer {
  const uri = world.canaries.mint('request URI', [name], (value) => `urn:request:${value}`)
  return { status: 201, body: { request_uri: uri, expires_in: 60 } }
}

/** The challenge that belongs to a verifier (RFC 7636, section 4.2). */
export function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}
