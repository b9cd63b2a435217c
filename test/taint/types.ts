/** What a story is made of: parties, servers, clients, and what is remembered of them. */
import type { Config } from '../../src/config/index.ts'
import type { CredentialStore } from '../../src/index.ts'
import type { VirtualTime } from '../lifecycle/time.ts'
import type { Canaries } from './canary.ts'
import type { ClientConfig } from './configuration.ts'
import type { Recorder } from './recorder.ts'
import type { Machine } from './surroundings.ts'

export const issuerNames = ['honest', 'careless', 'hostile'] as const
export const resourceNames = ['notes', 'wiki'] as const
/** An authorization server. The honest one makes no mistakes by itself; the others do. */
export type IssuerName = (typeof issuerNames)[number]
/** An MCP server. */
export type ResourceName = (typeof resourceNames)[number]
/** Whoever can receive something; `elsewhere` owns nothing. */
export type Party = IssuerName | ResourceName | 'elsewhere' | 'local client'

export const originOf = (party: Party): string => `https://${party}.localhost`
export const urlOf = (resource: ResourceName): string => `${originOf(resource)}/mcp`

/** The party at a URL. */
export function partyOf(url: string | URL): Party {
  const text = String(url)
  const host = URL.canParse(text) ? new URL(text).hostname : ''
  const name = [...issuerNames, ...resourceNames].find((each) => host === `${each}.localhost`)
  return name ?? 'elsewhere'
}

/** What the next answers of a token endpoint look like. */
export type TokenManner =
  | 'ok'
  | 'wrong type'
  | 'no type'
  | 'no access token'
  | 'unusable access token'
  | 'truncated'
  | 'page'
  | 'plain bearer'
  | 'refused'
  | 'client refused'
  | 'echoing error'
  | 'echoing challenge'
  | 'busy'
  | 'lost'
  | 'redirect'

/** The endpoints that a server's metadata names. */
export const endpointNames = ['authorize', 'token', 'register', 'revoke', 'device', 'par'] as const
export type EndpointName = (typeof endpointNames)[number]

export interface IssuerState {
  readonly name: IssuerName
  /** Whose endpoints its metadata names, and `undefined` for one that it leaves out. */
  endpoints: Readonly<Record<EndpointName, IssuerName | undefined>>
  /** What follows `?` in its authorization endpoint. */
  query: string
  /** It says who it is in the answer to a login (RFC 9207), and promises to. */
  sendsIssuer: boolean
  pushed: boolean
  rotates: boolean
  /** It grants a scope that nobody asked for. */
  grantsMore: boolean
  manner: TokenManner
  /** How many answers of that manner follow. */
  answersLeft: number
  /** Its revocation endpoint fails, and repeats what it was sent. */
  failsToRevoke: boolean
  /** Seconds until it answers. */
  slow: number
  /** Where its login page sends browsers on to. */
  forwardsTo: IssuerName | undefined
  /** The client identifier that it gives to whoever registers. */
  registersAs: 'a new client' | 'the known client'
  /** It names endpoints of others as aliases for clients with certificates only, and registers such clients. */
  wantsCertificates: boolean
}

export type ResourceManner =
  | 'ok'
  | 'rejects'
  | 'asks for more'
  | 'echoes'
  | 'redirects'
  | 'redirects elsewhere'
  | 'asks for nothing'
  | 'redirects to the token endpoint'

export interface ResourceState {
  readonly name: ResourceName
  /** The issuer that it names. */
  issuer: IssuerName
  manner: ResourceManner
  answersLeft: number
  slow: number
  /** It says in the challenge where its metadata is. */
  pointsToMetadata: boolean
}

/** What a user does with the URL of a login. */
export type UserManner =
  | 'logs in'
  | 'declines'
  | 'never returns'
  | 'pastes from another origin'
  | 'pastes an old login'
  | 'pastes the wrong issuer'

/** A grant that an authorization server made: a code, a refresh token, an assertion. */
export interface GrantState {
  readonly kind: 'code' | 'device code' | 'refresh token' | 'identity assertion'
  readonly issuer: IssuerName
  readonly label: string
  /** It was redeemed, and whoever did so has got the answer. */
  spent: boolean
  presented: number
  /** The logout after which it may not be presented. */
  givenUp: string | undefined
  /** The clients that got it, or something for it. */
  readonly holders: Set<ClientState>
}

export interface TokenState {
  readonly issuer: IssuerName
  readonly label: string
  /** The clients that gave it up, and when. */
  readonly givenUpBy: Set<ClientState>
  readonly holders: Set<ClientState>
  revoked: boolean
}

export interface OpenCall {
  readonly id: number
  readonly what: string
  readonly controller: AbortController
}

interface CallOptions {
  readonly signal: AbortSignal
}

/** What a client can be asked to do, whatever is behind it. */
export interface ClientDoor {
  (input: string | URL, init?: RequestInit): Promise<Response>
  login(options: CallOptions): Promise<unknown>
  logout(): Promise<unknown>
  close(): Promise<unknown>
  readonly manager: { renew(options: CallOptions): Promise<unknown> } | undefined
}

/** One user of the library: a process, or a part of one. */
export interface ClientState {
  readonly name: string
  readonly config: ClientConfig
  readonly fetch: ClientDoor
  readonly open: Set<OpenCall>
  /** Requests that wait for an answer. */
  underWay: number
  /** It has sent its first request, which says where its credential belongs. */
  isBound: boolean
  closed: boolean
  /** When people were asked to log in although nobody called `login()`, in milliseconds. */
  readonly unaskedLogins: number[]
  /** The logouts that were called since, and have not succeeded yet: each may have let the user start anew. */
  unfinishedLogouts: number
}

export interface World {
  readonly time: VirtualTime
  readonly story: string[]
  readonly violations: string[]
  readonly canaries: Canaries
  readonly recorder: Recorder
  readonly issuers: Readonly<Record<IssuerName, IssuerState>>
  readonly resources: Readonly<Record<ResourceName, ResourceState>>
  readonly clients: ClientState[]
  readonly grants: Map<string, GrantState>
  readonly tokens: Map<string, TokenState>
  /** Where the challenge of a login was sent: its verifier may go there only. */
  readonly challenges: Map<string, Party>
  /** The client assertions that were sent. */
  readonly assertions: Set<string>
  /** Whose endpoints the metadata of a server named at some time: it trusts them with what is its own. */
  readonly delegates: Map<Party, Set<Party>>
  readonly store: CredentialStore | undefined
  /** The folders and variables of a story that needs some. */
  readonly machine: Machine | undefined
  /** What `loadConfig()` has read there. */
  config: Config | undefined
  /** The sealed states of web logins, which browsers keep. */
  readonly sealed: string[]
  /** The store, when it keeps its records in memory, where a story reads them. */
  readonly memory: CredentialStore | undefined
  user: UserManner
  /** A callback of an earlier login. */
  oldCallback: string | undefined
  numbers: number
}

export function nextNumber(world: Pick<World, 'numbers'>): number {
  world.numbers += 1
  return world.numbers
}

export function note(world: Pick<World, 'time' | 'story'>, text: string): void {
  world.story.push(`${(world.time.elapsed() / 1000).toFixed(1).padStart(6)} s  ${text}`)
}

/** A search for what else is wrong: violations that match are passed over. */
const ignored = new RegExp(process.env['TAINT_IGNORE'] ?? '(?!)')

export function violate(world: Pick<World, 'time' | 'story' | 'violations'>, text: string): void {
  if (ignored.test(text) || world.violations.includes(text)) return
  world.violations.push(text)
  note(world, `VIOLATION: ${text}`)
}
