/** What can happen in a story. */
import fc from 'fast-check'
import { type ClientConfig, configurations } from './configuration.ts'
import type { FrontOperation } from './front-operations.ts'
import type { Settings } from './surroundings.ts'
import {
  type EndpointName,
  endpointNames,
  type IssuerName,
  type IssuerState,
  issuerNames,
  type ResourceManner,
  type ResourceName,
  type TokenManner,
  type UserManner,
} from './types.ts'

export type Target = 'its server' | 'the other server' | 'a token endpoint' | 'elsewhere'

export type Traits = Pick<
  IssuerState,
  'sendsIssuer' | 'pushed' | 'rotates' | 'grantsMore' | 'failsToRevoke' | 'slow'
>
export type Guise = Pick<
  IssuerState,
  'endpoints' | 'query' | 'registersAs' | 'wantsCertificates' | 'forwardsTo'
>

/** `waits`: the story goes on when the call has ended. */
export type Operation =
  | { readonly do: 'request'; readonly who: number; readonly to: Target; readonly waits: boolean }
  | {
      readonly do: 'login' | 'renew' | 'logout' | 'close'
      readonly who: number
      readonly waits: boolean
    }
  | { readonly do: 'abort'; readonly who: number }
  | { readonly do: 'restart'; readonly who: number; readonly config: ClientConfig | undefined }
  | { readonly do: 'names'; readonly resource: ResourceName; readonly issuer: IssuerName }
  | {
      readonly do: 'resource'
      readonly resource: ResourceName
      readonly manner: ResourceManner
      readonly answersLeft: number
      readonly slow: number
      readonly pointsToMetadata: boolean
    }
  | {
      readonly do: 'answers'
      readonly issuer: IssuerName
      readonly manner: TokenManner
      readonly answersLeft: number
    }
  | { readonly do: 'traits'; readonly issuer: IssuerName; readonly traits: Traits }
  | { readonly do: 'guise'; readonly guise: Guise }
  | { readonly do: 'user'; readonly manner: UserManner }
  | { readonly do: 'all tokens end' }
  | { readonly do: 'advance'; readonly seconds: number }
  | FrontOperation

export interface Story {
  readonly store: 'none' | 'memory' | 'file' | 'default'
  /** The machine, where config files and the environment matter. */
  readonly machine?: Settings
  readonly main: ClientConfig
  /** `undefined`: the same as the main one. */
  readonly peer: ClientConfig | undefined
  readonly names: IssuerName
  /** What the hostile server says in the beginning. */
  readonly guise: Guise | undefined
  readonly operations: readonly Operation[]
}

const who = fc.constantFrom(0, 0, 0, 1)
const waits = fc.constantFrom(true, true, true, false)
const resource = fc.constantFrom<ResourceName>('notes', 'notes', 'notes', 'wiki')
export const issuer = fc.constantFrom(...issuerNames)
export const seconds = fc.constantFrom(1, 10, 130, 700, 1000, 4000)
const tokenManner = fc.constantFrom<TokenManner>(
  'wrong type',
  'no type',
  'no access token',
  'unusable access token',
  'truncated',
  'page',
  'plain bearer',
  'refused',
  'client refused',
  'echoing error',
  'echoing challenge',
  'busy',
  'lost',
  'redirect',
)
const resourceManner = fc.constantFrom<ResourceManner>(
  'rejects',
  'asks for more',
  'echoes',
  'redirects',
  'redirects elsewhere',
  'asks for nothing',
  'redirects to the token endpoint',
)
const userManner = fc.constantFrom<UserManner>(
  'logs in',
  'logs in',
  'declines',
  'never returns',
  'pastes from another origin',
  'pastes an old login',
  'pastes the wrong issuer',
)
export const traits: fc.Arbitrary<Traits> = fc.record({
  sendsIssuer: fc.boolean(),
  pushed: fc.constantFrom(false, false, true),
  rotates: fc.boolean(),
  grantsMore: fc.boolean(),
  failsToRevoke: fc.constantFrom(false, false, true),
  slow: fc.constantFrom(0, 0, 0, 2),
})
const party = fc.constantFrom<IssuerName | undefined>('hostile', 'hostile', 'honest', 'careless')
export const ownEndpoints = Object.fromEntries(
  endpointNames.map((name) => [name, 'hostile' as const]),
) as Guise['endpoints']
/** Some name one endpoint of another server, which is hard to see among their own; some any mixture. */
const endpoints: fc.Arbitrary<Guise['endpoints']> = fc.oneof(
  fc.constantFrom(
    { ...ownEndpoints, authorize: 'honest' as const },
    { ...ownEndpoints, authorize: 'careless' as const },
  ),
  fc
    .record({ name: fc.constantFrom(...endpointNames), party: issuer })
    .map(({ name, party: other }) => ({
      ...ownEndpoints,
      [name]: other,
    })),
  fc.record(
    Object.fromEntries(endpointNames.map((name) => [name, party])) as Record<
      EndpointName,
      typeof party
    >,
  ),
)
export const guise: fc.Arbitrary<Guise> = fc.record({
  endpoints,
  query: fc.constantFrom(
    ...Array<string>(6).fill(''),
    'tenant=7',
    'response_mode=fragment',
    'response_type=token',
    'request_uri=https://hostile.localhost/request',
    'redirect_uri=https://hostile.localhost/steal',
    'scope=everything',
    'state=chosen&code_challenge=chosen',
  ),
  registersAs: fc.constantFrom<Guise['registersAs']>('a new client', 'the known client'),
  wantsCertificates: fc.constantFrom(false, false, true),
  forwardsTo: fc.constantFrom<IssuerName | undefined>(undefined, 'honest', 'careless'),
})

type Of<Name extends Operation['do']> = fc.Arbitrary<Extract<Operation, { readonly do: Name }>>

const request: Of<'request'> = fc.record({
  do: fc.constant('request' as const),
  who,
  to: fc.constantFrom<Target>(
    ...Array<Target>(12).fill('its server'),
    'the other server',
    'a token endpoint',
    'elsewhere',
  ),
  waits,
})
const call: Of<'login' | 'renew' | 'logout' | 'close'> = fc.record({
  do: fc.constantFrom('login', 'login', 'login', 'renew', 'renew', 'logout', 'logout', 'close'),
  who,
  waits,
})
const abort: Of<'abort'> = fc.record({ do: fc.constant('abort' as const), who })
export const restart: Of<'restart'> = fc.record({
  do: fc.constant('restart' as const),
  who,
  config: fc.option(configurations, { nil: undefined }),
})
const names: Of<'names'> = fc.record({ do: fc.constant('names' as const), resource, issuer })
export const resourceChange: Of<'resource'> = fc.record({
  do: fc.constant('resource' as const),
  resource,
  manner: resourceManner,
  answersLeft: fc.constantFrom(1, 1, 2, 4),
  slow: fc.constantFrom(0, 0, 2),
  pointsToMetadata: fc.boolean(),
})
export const answers: Of<'answers'> = fc.record({
  do: fc.constant('answers' as const),
  issuer,
  manner: tokenManner,
  answersLeft: fc.constantFrom(1, 1, 1, 2, 5),
})
const traitChange: Of<'traits'> = fc.record({ do: fc.constant('traits' as const), issuer, traits })
const guiseChange: Of<'guise'> = fc.record({ do: fc.constant('guise' as const), guise })
const user: Of<'user'> = fc.record({ do: fc.constant('user' as const), manner: userManner })
const end: Of<'all tokens end'> = fc.constant({ do: 'all tokens end' })
const advance: Of<'advance'> = fc.record({ do: fc.constant('advance' as const), seconds })

export const single: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 8, arbitrary: request },
  { weight: 5, arbitrary: call },
  { weight: 1, arbitrary: abort },
  { weight: 2, arbitrary: restart },
  { weight: 3, arbitrary: names },
  { weight: 2, arbitrary: resourceChange },
  { weight: 4, arbitrary: answers },
  { weight: 2, arbitrary: traitChange },
  { weight: 3, arbitrary: guiseChange },
  { weight: 2, arbitrary: user },
  { weight: 1, arbitrary: end },
  { weight: 3, arbitrary: advance },
)
