/** Makes the world of a story, and its clients. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  authorizedFetch,
  ConfigurationError,
  type CredentialStore,
  withCredentials,
} from '../../src/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { type Canaries, makeCanaries } from './canary.ts'
import { counted, queued, sleep, startClock } from './clock.ts'
import { type ClientConfig, makeProvider } from './configuration.ts'
import { networkOf } from './network.ts'
import type { Story } from './operations.ts'
import { startRecorder } from './recorder.ts'
import {
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

/** A world, and what has to be cleared away afterwards. */
export interface OpenWorld {
  readonly world: World
  /** The folder of the store that writes files. */
  readonly folder: string | undefined
  end(): Promise<void>
}

export function makeWorld({ store, names }: Pick<Story, 'store' | 'names'>): OpenWorld {
  const canaries = makeCanaries()
  const { time, stop } = startClock((d) => canaries.learn('DPoP key', d, []))
  const basis = { time, story: [], violations: [] }
  const delegates: World['delegates'] = new Map()
  const recorder = startRecorder(
    canaries,
    (text) => violate(basis, text),
    (owner, party) => delegates.get(owner)?.has(party) ?? false,
  )
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
    memory: store === 'memory' ? records : undefined,
    user: 'logs in',
    oldCallback: undefined,
    numbers: 0,
  }
  return {
    world,
    folder,
    async end() {
      recorder.stop()
      stop()
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
  if (directory === undefined) return memoryStore()
  const padding = randomBytes(32).toString('hex')
  const key = canaries.mint('store key', [], (value) => `${value}${padding}`.slice(0, 32))
  const files = encryptedFileStore({ directory, key: Buffer.from(key).toString('base64') })
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
  const provider = makeProvider(world, config, {
    showUrl: (url, { signal }) => showUrl(world, self(), url, signal),
    showCode: () => prompted(world, self()),
    async sign() {
      await sleep(time, 2)
      return new Uint8Array(64)
    },
  })
  const options = {
    fetch: networkOf(world, self),
    now: time.wall,
    random: () => 0.5,
    onEvent: (event: object) => recorder.published('an event', JSON.stringify(event)),
    ...(store === undefined ? {} : { store }),
  }
  const fetch = config.binds
    ? withCredentials(provider, options).fetch
    : authorizedFetch(provider, { ...options, resource: urlOf(config.resource) })
  client = {
    name,
    config,
    fetch,
    open: new Set(),
    underWay: 0,
    isBound: false,
    closed: false,
    unaskedLogins: [],
  }
  note(world, `${name} starts: ${describeConfig(config)}`)
  return client
}

function describeConfig(config: ClientConfig): string {
  const { kind, resource, binds, pin, isKnown, auth, dpop, requireIss, scope, idp } = config
  const parts = [
    `${kind} for ${resource}`,
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
