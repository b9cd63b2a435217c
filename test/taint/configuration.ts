/** What a client is told: its provider, with secrets of its own. */
import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { auto } from '../../src/auto/index.ts'
import {
  apiKey,
  type CredentialProvider,
  type CredentialStore,
  hmac,
  jwt,
} from '../../src/index.ts'
import {
  authorizationCode,
  type ClientAuthentication,
  clientCredentials,
  deviceCode,
  enterpriseManaged,
  jwtBearer,
  type OAuthOptions,
  privateKeyJwt,
  refreshToken,
  savedLogin,
  tokenExchange,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { addGrant } from './authorization-server.ts'
import {
  type GrantState,
  type IssuerName,
  originOf,
  type ResourceName,
  resourceNames,
  type World,
} from './types.ts'

const logins = ['authorizationCode', 'deviceCode', 'savedLogin', 'refreshToken'] as const
const services = ['clientCredentials', 'tokenExchange', 'jwtBearer', 'enterpriseManaged'] as const
const statics = ['apiKey', 'hmac', 'jwt', 'jwt of another process'] as const
const newest = ['auto', 'config', 'webLogin'] as const
type Kind =
  | (typeof logins)[number]
  | (typeof services)[number]
  | (typeof statics)[number]
  | (typeof newest)[number]

export interface ClientConfig {
  readonly kind: Kind
  /** How it is reached: as a `fetch`, or through a bridge on this machine. */
  readonly form: 'fetch' | 'bridge'
  readonly isOAuth: boolean
  readonly resource: ResourceName
  /** It takes its resource from the first request. */
  readonly binds: boolean
  /** The only authorization server that it accepts. */
  readonly pin: IssuerName | undefined
  /** It has a client identifier, which all servers know. */
  readonly isKnown: boolean
  readonly auth:
    | 'none'
    | 'secret'
    | 'basic'
    | 'post'
    | 'key'
    | 'key for token endpoint'
    | 'certificate'
  readonly dpop: boolean
  /** The answer to a login has to say who it comes from. */
  readonly requireIss: boolean
  readonly scope: boolean
  readonly idp: IssuerName
  readonly idpAuth: 'secret' | 'key for token endpoint'
}

const auth = fc.constantFrom<ClientConfig['auth']>(
  'none',
  'none',
  'secret',
  'basic',
  'post',
  'key',
  'key for token endpoint',
  'certificate',
)

/** Whoever names the hostile server as the issuer trusts it with everything: no application does. */
const trusted = fc.constantFrom('honest' as const, 'careless' as const)

/** The options that fit together: a secret needs the server that it belongs to. */
function fitting(given: Omit<ClientConfig, 'isOAuth'>): ClientConfig {
  const { kind, auth: wanted, pin, isKnown } = given
  const isStatic = statics.some((each) => each === kind)
  const needsPin = ['refreshToken', 'tokenExchange', 'jwtBearer'].includes(kind)
  const method = kind === 'clientCredentials' && wanted === 'none' ? 'key' : wanted
  const hasSecret = ['secret', 'basic', 'post'].includes(method)
  const needsClient = !['authorizationCode', 'savedLogin'].includes(kind) || method !== 'none'
  return {
    ...given,
    isOAuth: !isStatic,
    auth: method,
    isKnown: isKnown || needsClient,
    pin: pin ?? (needsPin || hasSecret ? 'honest' : undefined),
  }
}

const plain: Omit<ClientConfig, 'isOAuth' | 'kind'> = {
  form: 'fetch',
  resource: 'notes',
  binds: false,
  pin: undefined,
  isKnown: true,
  auth: 'none',
  dpop: false,
  requireIss: false,
  scope: false,
  idp: 'honest',
  idpAuth: 'secret',
}

export const configurations: fc.Arbitrary<ClientConfig> = fc
  .record({
    kind: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom(...logins, 'authorizationCode' as const) },
      { weight: 4, arbitrary: fc.constantFrom(...services) },
      { weight: 2, arbitrary: fc.constantFrom(...statics) },
    ),
    form: fc.constant('fetch' as const),
    resource: fc.oneof(
      { weight: 4, arbitrary: fc.constant('notes' as const) },
      { weight: 1, arbitrary: fc.constantFrom(...resourceNames) },
    ),
    binds: fc.boolean(),
    pin: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      { weight: 2, arbitrary: trusted },
    ),
    isKnown: fc.boolean(),
    auth,
    dpop: fc.oneof(
      { weight: 4, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
    requireIss: fc.constantFrom(false, false, true),
    scope: fc.boolean(),
    idp: trusted,
    idpAuth: fc.constantFrom('secret' as const, 'key for token endpoint' as const),
  })
  .map(fitting)

/** The newest ways to be told of a credential, and any other one behind a bridge. */
export const fronts: fc.Arbitrary<ClientConfig> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        kind: fc.constantFrom('auto' as const, 'auto' as const, ...newest, 'savedLogin' as const),
        form: fc.constantFrom('fetch' as const, 'fetch' as const, 'bridge' as const),
        resource: fc.constantFrom('notes' as const, 'notes' as const, 'wiki' as const),
        scope: fc.boolean(),
      })
      .map(({ kind, form, ...rest }) => {
        const isWeb = kind === 'webLogin'
        return fitting({ ...plain, ...rest, kind, form: isWeb ? 'fetch' : form, isKnown: isWeb })
      }),
  },
  {
    weight: 2,
    arbitrary: configurations.map((config): ClientConfig => {
      return { ...config, form: 'bridge', binds: false }
    }),
  },
)

/** A bridge whose user logs in with a browser. */
export const loginBridge: ClientConfig = fitting({
  ...plain,
  kind: 'authorizationCode',
  form: 'bridge',
  isKnown: false,
})

/** What the command line is. */
export const commandConfig: ClientConfig = fitting({ ...plain, kind: 'auto', isKnown: false })

/** Logs in wherever the MCP server says. */
export const wanderers: fc.Arbitrary<ClientConfig> = fc
  .record({
    kind: fc.constantFrom('authorizationCode' as const, 'deviceCode' as const),
    scope: fc.boolean(),
  })
  .map(({ kind, scope }) => fitting({ ...plain, kind, scope, isKnown: kind === 'deviceCode' }))

/** Has a refresh token of a login elsewhere. */
export const withGivenTokens: fc.Arbitrary<ClientConfig> = trusted.map((pin) =>
  fitting({ ...plain, kind: 'refreshToken', pin }),
)

const clientKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string
const redirectUri = 'https://app.localhost/callback'

/** How a user is asked to log in. */
export interface Prompts {
  readonly showUrl: (url: URL, options: { readonly signal: AbortSignal }) => Promise<unknown>
  readonly showCode: () => void
  /** Waits as a signer in another process does. */
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>
}

export function makeProvider(
  world: World,
  config: ClientConfig,
  { showUrl, showCode, sign }: Prompts,
  store: CredentialStore | undefined,
): CredentialProvider {
  const { kind, resource } = config
  switch (kind) {
    case 'apiKey':
      return apiKey({ value: world.canaries.mint('API key', [resource]) })
    case 'hmac':
      return hmac({ secret: world.canaries.mint('signing secret', []) })
    case 'jwt': {
      const secret = world.canaries.mint('signing secret', [], (value) => value.padEnd(40, '-'))
      return jwt({ algorithm: 'HS256', secret, perRequest: config.scope })
    }
    case 'jwt of another process':
      return jwt({ algorithm: 'ES256', sign, perRequest: true })
    case 'authorizationCode':
      return authorizationCode({
        ...oauthOptions(world, config),
        redirectUri,
        onAuthorizationUrl: showUrl,
        requireIss: config.requireIss,
      })
    case 'deviceCode':
      return deviceCode({ clientId: 'agent', ...oauthOptions(world, config), onUserCode: showCode })
    case 'savedLogin':
      return savedLogin(oauthOptions(world, config))
    case 'webLogin':
      throw new Error('a web application makes its own')
    case 'auto':
    case 'config':
      return auto({
        store: store ?? memoryStore(),
        ...(world.machine?.settings.environment === undefined
          ? {}
          : { environment: world.machine.settings.environment }),
        ...(world.machine === undefined ? { config: false } : {}),
      })
    default:
      return makeService(world, kind, config)
  }
}

type Service = Exclude<
  Kind,
  | (typeof statics)[number]
  | (typeof newest)[number]
  | 'authorizationCode'
  | 'deviceCode'
  | 'savedLogin'
>

function makeService(world: World, kind: Service, config: ClientConfig): CredentialProvider {
  const { canaries } = world
  const { idp, pin = 'honest' } = config
  const client = { clientId: 'agent', ...oauthOptions(world, config) }
  const pinned = { ...client, issuer: originOf(pin) }
  switch (kind) {
    case 'refreshToken': {
      const value = givenToken(world, config, pin)
      return refreshToken({ ...pinned, refreshToken: value })
    }
    case 'clientCredentials':
      return clientCredentials(client)
    case 'tokenExchange':
      return tokenExchange({ ...pinned, subjectToken: canaries.mint('subject token', [pin]) })
    case 'jwtBearer':
      return jwtBearer({ ...pinned, assertion: canaries.mint('workload assertion', [pin]) })
    case 'enterpriseManaged':
      return enterpriseManaged({
        ...client,
        identityProvider: {
          issuer: originOf(idp),
          clientId: 'agent',
          ...(config.idpAuth === 'secret'
            ? { clientSecret: secretAt(world, idp) }
            : { clientAuth: signed('token_endpoint') }),
        },
        subjectToken: canaries.mint('subject token', [idp]),
      })
  }
}

const givenTokens = new WeakMap<World, Map<ClientConfig, string>>()

/** With a store, a client that starts again is given the same token: the store knows what became of it. */
function givenToken(world: World, config: ClientConfig, issuer: IssuerName): string {
  const known = givenTokens.get(world) ?? new Map<ClientConfig, string>()
  givenTokens.set(world, known)
  const before = known.get(config)
  if (before !== undefined) return before
  const value = world.canaries.mint('refresh token', [issuer])
  addGrant(world, value, 'refresh token', issuer)
  if (world.memory !== undefined) known.set(config, value)
  return value
}

/** The refresh token that a client with a store was given by its options. */
export function grantGiven(world: World, config: ClientConfig): GrantState | undefined {
  return world.grants.get(givenTokens.get(world)?.get(config) ?? '')
}

export function oauthOptions(world: World, config: ClientConfig): OAuthOptions {
  const { pin, isKnown, auth: method, dpop, scope } = config
  return {
    ...(pin === undefined ? {} : { issuer: originOf(pin) }),
    ...(isKnown ? { clientId: 'agent' } : {}),
    ...(dpop ? { dpop: true } : {}),
    ...(scope ? { scope: 'read write' } : {}),
    ...authentication(world, method, pin ?? 'honest'),
  }
}

function authentication(
  world: World,
  method: ClientConfig['auth'],
  issuer: IssuerName,
): Pick<OAuthOptions, 'clientAuth' | 'clientSecret'> {
  const clientSecret = () => secretAt(world, issuer)
  switch (method) {
    case 'none':
      return {}
    case 'secret':
      return { clientSecret: clientSecret() }
    case 'basic':
      return { clientSecret: clientSecret(), clientAuth: 'client_secret_basic' }
    case 'post':
      return { clientSecret: clientSecret(), clientAuth: 'client_secret_post' }
    case 'key':
      return { clientAuth: signed('issuer') }
    case 'key for token endpoint':
      return { clientAuth: signed('token_endpoint') }
    case 'certificate':
      return { clientAuth: 'tls_client_auth' }
  }
}

function signed(audience: 'issuer' | 'token_endpoint'): ClientAuthentication {
  return privateKeyJwt({ key: clientKey, audience })
}

/** With characters that every encoding writes in its own way. */
function secretAt(world: World, issuer: IssuerName): string {
  return world.canaries.mint('client secret', [issuer], (value) => `+/ ${value}:&%é`)
}
