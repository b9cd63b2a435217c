/** Makes the world of a story, and its clients. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inTenant } from '../../src/config/index.ts'
import {
  type AuthorizedFetchOptions,
  authorizedFetch,
  ConfigurationError,
  type CredentialStore,
  withCredentials,
} from '../../src/index.ts'
import { defaultStore } from '../../src/stores/default.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { type Canaries, makeCanaries } from './canary.ts'
import { counted, queued, sleep, startClock } from './clock.ts'
import { givePlatformFetch } from './command.ts'
import { type ClientConfig, makeProvider, type Prompts } from './configuration.ts'
import { localClient } from './local-client.ts'
import { networkOf } from './network.ts'
import type { Story } from './operations.ts'
import { startRecorder } from './recorder.ts'
import { arrange } from './surroundings.ts'
import {
  type ClientDoor,
  type ClientState,
  type IssuerName,
  type IssuerState,
  nextNumber,
  note,
  type ResourceState,
  urlOf,
  violate,
  type World,
} from './types.ts'
import { prompted, showUrl } from './user.ts'
import { webApplication } from './web-login.ts'

type StoryWorld = Pick<Story, 'store' | 'names' | 'machine'>

/** A world, and what has to be cleared away afterwards. */
export interface OpenWorld {
  readonly world: World
  /** The folder of the store that writes files. */
  readonly folder: string | undefined
  end(): Promise<void>
}

export function makeWorld({ store, names, machine: settings }: StoryWorld): OpenWorld {
  const canaries = makeCanaries()
  const { time, stop } = startClock(
    (d) => canaries.learn('DPoP key', d, []),
    settings !== undefined,
  )
  const basis = { time, story: [], violations: [] }
  const delegates: World['delegates'] = new Map()
  const recorder = startRecorder(
    canaries,
    (text) => violate(basis, text),
    (owner, party) => delegates.get(owner)?.has(party) ?? false,
  )
  const machine = settings === undefined ? undefined : arrange(settings, canaries)
  const folder = store === 'file' ? mkdtempSync(join(tmpdir(), 'taint-')) : undefined
  const records = storeOf(store, folder, canaries)
  const world: World = {
    ...basis,
    canaries,
    recorder,
    issuers: {
      honest: issuerOf('honest'),
      careless: issuerOf('careless'),
      hostile: issuerOf('hostile'),
    },
    resources: { notes: resourceOf('notes', names), wiki: resourceOf('wiki', names) },
    clients: [],
    grants: new Map(),
    tokens: new Map(),
    challenges: new Map(),
    assertions: new Set(),
    delegates,
    store: records,
    machine,
    config: undefined,
    sealed: [],
    memory: store === 'memory' ? records : undefined,
    user: 'logs in',
    oldCallback: undefined,
    numbers: 0,
  }
  const restoreFetch = machine === undefined ? () => {} : givePlatformFetch(world)
  return {
    world,
    folder: store === 'default' ? machine?.records : folder,
    async end() {
      recorder.stop()
      stop()
      restoreFetch()
      machine?.restore()
      if (folder !== undefined) await rm(folder, { recursive: true })
    },
  }
}

function issuerOf(name: IssuerName): IssuerState {
  return {
    name,
    endpoints: {
      authorize: name,
      token: name,
      register: name,
      revoke: name,
      device: name,
      par: name,
    },
    query: '',
    sendsIssuer: name === 'honest',
    pushed: false,
    rotates: true,
    grantsMore: name !== 'honest',
    manner: 'ok',
    answersLeft: 0,
    failsToRevoke: false,
    slow: 0,
    forwardsTo: undefined,
    registersAs: 'a new client',
    wantsCertificates: false,
  }
}

function resourceOf(name: ResourceState['name'], issuer: IssuerName): ResourceState {
  return { name, issuer, manner: 'ok', answersLeft: 0, slow: 0, pointsToMetadata: true }
}

function storeOf(
  kind: Story['store'],
  directory: string | undefined,
  canaries: Canaries,
): CredentialStore | undefined {
  if (kind === 'none') return undefined
  if (kind === 'default') return workedOn(defaultStore())
  if (directory === undefined) return memoryStore()
  const padding = randomBytes(32).toString('hex')
  const key = canaries.mint('store key', [], (value) => `${value}${padding}`.slice(0, 32))
  return workedOn(encryptedFileStore({ directory, key: Buffer.from(key).toString('base64') }))
}

/** A store whose work is counted. */
function workedOn(files: CredentialStore): CredentialStore {
  return {
    get: (name) => counted(files.get(name)),
    set: (name, record) => counted(files.set(name, record)),
    delete: (name) => counted(files.delete(name)),
    list: () => counted(files.list()),
    lock: (name, task, signal) => queued((locked) => files.lock(name, locked, signal), task),
  }
}

/** Starts a client: a process, or a part of one. What the library refuses is set right. */
export function startClient(world: World, config: ClientConfig, store = world.store): ClientState {
  try {
    return makeClient(world, config, store)
  } catch (error) {
    if (!(error instanceof ConfigurationError) || config.pin !== undefined) throw error
    world.recorder.thrown(error, 'the refusal of options')
    return makeClient(world, { ...config, pin: 'honest' }, store)
  }
}

function makeClient(world: World, config: ClientConfig, store: World['store']): ClientState {
  const name = `client ${nextNumber(world)}`
  const { time, recorder } = world
  let client: ClientState | undefined
  const self = (): ClientState => {
    if (client === undefined) throw new Error('the library acts before it is asked')
    return client
  }
  const prompts: Prompts = {
    showUrl: (url, { signal }) => showUrl(world, self(), url, signal),
    showCode: () => prompted(world, self()),
    async sign() {
      await sleep(time, 2)
      return new Uint8Array(64)
    },
  }
  const options = {
    fetch: networkOf(world, self),
    now: time.wall,
    random: () => 0.5,
    onEvent: (event: object) => recorder.published('an event', JSON.stringify(event)),
    ...(store === undefined ? {} : { store }),
  }
  const fetch = doorOf(world, config, self, { prompts, options })
  client = {
    name,
    config,
    fetch,
    open: new Set(),
    underWay: 0,
    isBound: false,
    closed: false,
    unaskedLogins: [],
    unfinishedLogouts: 0,
  }
  note(world, `${name} starts: ${describeConfig(config)}`)
  return client
}

interface Parts {
  readonly prompts: Prompts
  readonly options: Omit<AuthorizedFetchOptions, 'resource'>
}

function doorOf(
  world: World,
  config: ClientConfig,
  self: () => ClientState,
  { prompts, options }: Parts,
): ClientDoor {
  const resource = urlOf(config.resource)
  if (config.kind === 'webLogin') {
    const { store = memoryStore() } = options
    return webApplication(world, config, self, { ...options, resource, store })
  }
  if (config.kind === 'config' && config.form === 'fetch') {
    const door = configured(world, config, { ...options, resource })
    if (door !== undefined) return door
  }
  const provider = makeProvider(world, config, prompts, options.store)
  if (config.form === 'bridge') return localClient(world, provider, { ...options, resource })
  return config.binds
    ? withCredentials(provider, options).fetch
    : authorizedFetch(provider, { ...options, resource })
}

/** Uses the entry of the config by its name, in one of its tenants where it has several. */
function configured(
  { config: read, recorder }: World,
  { resource, scope }: ClientConfig,
  options: AuthorizedFetchOptions,
): ClientDoor | undefined {
  try {
    // Some take the entry of the other server: it has to refuse.
    const other = resource === 'notes' ? 'wiki' : 'notes'
    const credentials = read?.credentials(scope ? other : resource)
    if (credentials === undefined) return undefined
    const authorized = authorizedFetch(credentials, options)
    if ('acquire' in credentials) return authorized
    const inOne = <T>(task: () => T) => inTenant('acme', task)
    const door = (input: string | URL, init?: RequestInit) => inOne(() => authorized(input, init))
    return Object.assign(door, {
      login: (how: { readonly signal: AbortSignal }) => inOne(() => authorized.login(how)),
      logout: () => inOne(() => authorized.logout()),
      close: () => authorized.close(),
      manager: undefined,
    })
  } catch (error) {
    recorder.thrown(error, 'the refusal of an entry')
    return undefined
  }
}

function describeConfig(config: ClientConfig): string {
  const { kind, form, resource, binds, pin, isKnown, auth, dpop, requireIss, scope, idp } = config
  const parts = [
    `${kind} for ${resource}`,
    ...(form === 'bridge' ? ['behind a bridge'] : []),
    ...(binds ? ['bound by its first request'] : []),
    ...(pin === undefined ? [] : [`issuer: ${pin}`]),
    ...(isKnown ? ['with a client id'] : []),
    ...(auth === 'none' ? [] : [`authenticates by ${auth}`]),
    ...(dpop ? ['dpop'] : []),
    ...(requireIss && kind === 'authorizationCode' ? ['requireIss'] : []),
    ...(scope ? ['with a scope'] : []),
    ...(kind === 'enterpriseManaged' ? [`identity provider: ${idp}`] : []),
  ]
  return parts.join(', ')
}
