/** Where `auto()` finds a credential, while all of it changes: keys, config files, clients that come and go. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { auto, type StoredKey, saveKey } from '../../src/auto/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { type AuthorizedFetch, authorizedFetch, type CredentialStore } from '../../src/index.ts'
// What is loaded by `import()` is there already: that takes real time.
import '../../src/oauth/index.ts'
import '../../src/auto/workload.ts'
import '../../src/config/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { settled } from './patience.ts'
import { type VirtualTime, virtualTime } from './time.ts'

const resource = 'https://mcp.example.com/mcp'
const key = `${resource} | default`
const header = 'X-Identity'

type Source = 'config' | 'stored'
/** `none`: nothing is sent. */
type Chosen = Source | 'none'
/** What the config file says of the server. */
export type ConfigState = 'absent' | 'silent' | 'trusted' | 'untrusted' | 'broken'

export type SourceOperation =
  | {
      readonly do: 'request' | 'renew' | 'login' | 'logout' | 'restart'
      readonly who: 0 | 1
      /** The next operation begins before this one has ended. */
      readonly together: boolean
    }
  | { readonly do: 'save a key'; readonly type: 'apiKey' | 'headers' }
  | { readonly do: 'delete the key' | 'the server refuses' }
  /** Whether the server answers what has no credential. */
  | { readonly do: 'the server opens' | 'the server closes' }
  | { readonly do: 'config'; readonly state: ConfigState }
  | { readonly do: 'advance'; readonly seconds: number }

const who = fc.constantFrom(0 as const, 0 as const, 1 as const)
const together = fc.constantFrom(false, false, false, true)

const operation: fc.Arbitrary<SourceOperation> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...Array<'request'>(6).fill('request'),
        'renew' as const,
        'login' as const,
        'logout' as const,
        'restart' as const,
        'restart' as const,
      ),
      who,
      together,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('save a key' as const),
      type: fc.constantFrom('apiKey' as const, 'headers' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('delete the key' as const, 'the server refuses' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('the server opens' as const, 'the server closes' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('config' as const),
      state: fc.constantFrom<ConfigState>(
        'absent',
        'silent',
        'trusted',
        'trusted',
        'untrusted',
        'broken',
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('advance' as const),
      seconds: fc.constantFrom(1, 31, 700),
    }),
  },
)

const opening: fc.Arbitrary<readonly SourceOperation[]> = fc.constantFrom<
  readonly SourceOperation[]
>([], [{ do: 'the server opens' }, { do: 'request', who: 0, together: false }])

export const sourceStories: fc.Arbitrary<readonly SourceOperation[]> = fc
  .tuple(opening, fc.array(operation, { minLength: 5, maxLength: 30 }))
  .map(([first, others]) => [...first, ...others])

interface Identity {
  readonly name: string
  readonly source: Source
  refused: boolean
}

interface SourceClient {
  readonly name: string
  readonly fetch: AuthorizedFetch
  /** What the last event of a choice said. */
  chosen: Chosen | undefined
  /** Whose credential it sent last. */
  sent: Identity | undefined
  /** The last answer was a good one to a request without a credential. */
  isServedWithout: boolean
  /** It will choose anew, and nothing happened that makes the choice uncertain. */
  isFresh: boolean
  readonly givenUp: Set<Identity>
}

interface SourceWorld {
  readonly time: VirtualTime
  readonly store: CredentialStore
  readonly path: string
  readonly identities: Map<string, Identity>
  readonly variables: string[]
  readonly story: string[]
  readonly violations: string[]
  readonly clients: SourceClient[]
  state: ConfigState
  /** The server answers what has no credential. */
  isPublic: boolean
  /** When something was written last, in milliseconds since the epoch. */
  changedAt: number
  /** What rests in the store, and what the config file says. */
  stored: Identity | undefined
  configured: Identity | undefined
  open: Promise<unknown>[]
}

/** Plays a story. */
export async function playSources(operations: readonly SourceOperation[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sources-'))
  const world: SourceWorld = {
    time: virtualTime(() => {}),
    store: memoryStore(),
    path: join(folder, 'mcp.json'),
    identities: new Map(),
    variables: [],
    story: [],
    violations: [],
    clients: [],
    state: 'absent',
    isPublic: false,
    changedAt: 0,
    stored: undefined,
    configured: undefined,
    open: [],
  }
  try {
    await writeConfig(world, 'absent')
    world.clients.push(startClient(world), startClient(world))
    for (const each of operations) {
      if (world.violations.length > 0) break
      world.story.push(`-- ${JSON.stringify(each)}`)
      await perform(world, each)
    }
    await drain(world)
    for (const { fetch } of world.clients) await settled(world.time, fetch.close())
  } finally {
    world.time.restore()
    for (const name of world.variables) delete process.env[name]
    rmSync(folder, { recursive: true })
  }
  if (world.violations.length === 0) return
  throw new Error(`${world.violations.join('\n')}\n\nThe story:\n${world.story.join('\n')}\n`)
}

function violate(world: SourceWorld, text: string): void {
  world.violations.push(text)
  world.story.push(`VIOLATION: ${text}`)
}

function startClient(world: SourceWorld): SourceClient {
  const { path, store, time } = world
  const client: SourceClient = {
    name: `client ${world.clients.length + 1}`,
    chosen: undefined,
    sent: undefined,
    isServedWithout: false,
    isFresh: true,
    givenUp: new Set(),
    fetch: authorizedFetch(auto({ config: path, store }), {
      resource,
      fetch: async (_input, init) =>
        init?.body === '' ? probed(world, client, init) : serve(world, client, init),
      now: time.wall,
      random: () => 0.5,
      onEvent(event) {
        if (event.type !== 'source_chosen') return
        world.story.push(`${client.name} chooses ${event.source}: ${event.detail}`)
        const { source } = event
        client.chosen = source === 'workload' || source === 'login' ? undefined : source
      },
    }),
  }
  return client
}

/** A client asks whether it needs a credential. */
function probed(world: SourceWorld, client: SourceClient, init: RequestInit): Response {
  world.story.push(`${client.name} asks the server`)
  if (new Headers(init.headers).has(header)) violate(world, 'a credential is sent with a question')
  return new Response('', { status: world.isPublic ? 400 : 401 })
}

/** A request without a credential reaches the server. */
function serveWithout(world: SourceWorld, client: SourceClient): Response {
  const before = client.sent
  if (client.chosen !== 'none') {
    violate(world, `nothing is sent, and the last event said ${client.chosen}`)
  }
  if (before !== undefined && (before === world.stored || before === world.configured)) {
    violate(world, `nothing is sent instead of ${before.name}, which is still there`)
  }
  client.isServedWithout = world.isPublic
  return new Response('', { status: world.isPublic ? 200 : 401 })
}

/** A request reaches the server: the moment at which it is seen whose credential is sent. */
function serve(world: SourceWorld, client: SourceClient, init: RequestInit | undefined): Response {
  const identity = world.identities.get(new Headers(init?.headers).get(header) ?? '')
  world.story.push(`${client.name} sends ${identity?.name}`)
  if (identity === undefined) return serveWithout(world, client)
  client.isServedWithout = false
  const before = client.sent
  if (client.chosen !== identity.source) {
    violate(world, `${identity.name} is sent, and the last event said ${client.chosen}`)
  }
  if (client.givenUp.has(identity)) violate(world, `${identity.name} is sent after its logout`)
  const isThere = before === world.stored || before === world.configured
  if (before !== undefined && before !== identity && isThere) {
    violate(world, `${identity.name} is sent instead of ${before.name}, which is still there`)
  }
  client.sent = identity
  const status = identity.refused ? 401 : 200
  return new Response('', { status })
}

async function perform(world: SourceWorld, operation: SourceOperation): Promise<void> {
  const { time, identities, store } = world
  switch (operation.do) {
    case 'save a key': {
      await drain(world)
      const name = `key-${identities.size + 1}`
      const { type } = operation
      const value: StoredKey =
        type === 'apiKey' ? { type, header, value: name } : { type, headers: { [header]: name } }
      await settled(time, saveKey(store, { resource, key: value }))
      world.stored = identityOf(world, name, 'stored')
      world.changedAt = time.wall()
      return
    }
    case 'delete the key':
      await drain(world)
      world.stored = undefined
      world.changedAt = time.wall()
      await store.delete(key)
      return
    case 'the server opens':
    case 'the server closes':
      world.isPublic = operation.do === 'the server opens'
      return
    case 'the server refuses':
      for (const identity of identities.values()) identity.refused = true
      return
    case 'config':
      await drain(world)
      return writeConfig(world, operation.state)
    case 'advance':
      return time.advance(operation.seconds * 1000)
    default:
      return call(world, operation)
  }
}

type Call = Extract<SourceOperation, { readonly who: 0 | 1 }>

async function call(world: SourceWorld, { do: what, who: index, together: isOpen }: Call) {
  const { clients, time } = world
  const client = clients[index]
  if (client === undefined) return
  if (what === 'restart' || what === 'logout') await drain(world)
  if (what === 'restart') {
    await settled(time, client.fetch.close())
    clients[index] = startClient(world)
    return
  }
  if (what === 'logout') return logOut(world, client)
  const isAlone = world.open.length === 0
  const expected = client.isFresh && isAlone ? expectedOf(world) : undefined
  const overdue = isAlone ? overdueOf(world, client) : undefined
  client.isFresh = false
  const running =
    what === 'request'
      ? client.fetch(resource, { method: 'POST', body: '{}' }).then((response) => response.status)
      : what === 'login'
        ? client.fetch.login()
        : client.fetch.manager.renew()
  const outcome = running.then(
    () => 'ok',
    (error: unknown) => String((error as { code?: unknown }).code),
  )
  if (isOpen) {
    world.open.push(outcome)
    return
  }
  const code = await settled(time, outcome)
  world.story.push(`${client.name} ${what}: ${code}`)
  await drain(world)
  if (what !== 'request') return
  if (expected !== undefined) checkFirst(world, client, expected, code)
  if (overdue !== undefined && client.sent !== overdue) {
    violate(world, `${overdue.name} was there for more than a minute, and is not sent`)
  }
}

/** What a client that has sent nothing has to have noticed. */
function overdueOf(world: SourceWorld, client: SourceClient): Identity | undefined {
  const { state, stored, configured, changedAt, time } = world
  if (!client.isServedWithout || time.wall() - changedAt <= 61_000) return undefined
  return state === 'untrusted' || state === 'broken' ? undefined : (configured ?? stored)
}

/** What a client that has not chosen yet has to choose. */
function expectedOf({ state, stored, configured, isPublic }: SourceWorld): Identity | string {
  if (state === 'untrusted' || state === 'broken') return 'configuration'
  return configured ?? stored ?? (isPublic ? 'ok' : 'login_required')
}

function checkFirst(
  world: SourceWorld,
  client: SourceClient,
  expected: Identity | string,
  code: string | undefined,
): void {
  if (typeof expected === 'string') {
    if (code !== expected) violate(world, `the first request ends with ${code}, not ${expected}`)
    return
  }
  if (client.sent === expected) return
  violate(world, `${client.sent?.name} (${code}) is chosen, and not ${expected.name}`)
}

async function logOut(world: SourceWorld, client: SourceClient): Promise<void> {
  const { store, time, stored, state } = world
  const outcome = await settled(
    time,
    client.fetch.logout().then(
      () => 'ok',
      (error: unknown) => String(error),
    ),
  )
  world.story.push(`${client.name} logout: ${outcome}`)
  if (outcome !== 'ok') return
  const isLeft = (await store.get(key)) !== undefined
  if (stored !== undefined && !isLeft) {
    client.givenUp.add(stored)
    world.stored = undefined
  }
  const isOnlyConfigured = client.chosen === 'config' && state === 'trusted'
  if (isOnlyConfigured && stored !== undefined && !isLeft) {
    violate(world, 'a logout from what the config says removes what is stored')
  }
  client.isFresh = true
  client.sent = undefined
  client.isServedWithout = false
  client.chosen = undefined
}

async function writeConfig(world: SourceWorld, state: ConfigState): Promise<void> {
  const { path, store } = world
  world.state = state
  world.changedAt = world.time.wall()
  world.configured = undefined
  const entry = () => {
    const identity = identityOf(world, `config-${world.identities.size + 1}`, 'config')
    const variable = `LIFE_${identity.name.replace('-', '_').toUpperCase()}`
    process.env[variable] = identity.name
    world.variables.push(variable)
    if (state === 'trusted') world.configured = identity
    return { auth: { provider: 'apiKey', header, value: `env:${variable}` } }
  }
  const isSaying = state === 'trusted' || state === 'untrusted'
  const servers = state === 'absent' ? {} : { crm: { url: resource, ...(isSaying ? entry() : {}) } }
  const text = JSON.stringify({ mcpServers: servers })
  writeFileSync(path, state === 'broken' ? text.slice(1) : text)
  if (state === 'untrusted' || state === 'broken') return
  const config = await loadConfig({ path, store })
  await config.trust(path)
}

function identityOf(world: SourceWorld, name: string, source: Source): Identity {
  const identity: Identity = { name, source, refused: false }
  world.identities.set(name, identity)
  return identity
}

/** Waits for what was begun together. */
async function drain(world: SourceWorld): Promise<void> {
  await settled(world.time, Promise.all(world.open))
  world.open = []
}
