/** Plays a story against the library. */
import { existsSync } from 'node:fs'
import { loadConfig } from '../../src/config/index.ts'
import { pass } from './clock.ts'
import { runCommand } from './command.ts'
import { grantGiven } from './configuration.ts'
import { changeKey, type FrontOperation } from './front-operations.ts'
import { delegate, elsewhere } from './network.ts'
import type { Guise, Operation, Story, Target } from './operations.ts'
import {
  type ClientState,
  endpointNames,
  type GrantState,
  nextNumber,
  note,
  type OpenCall,
  originOf,
  partyOf,
  urlOf,
  violate,
  type World,
} from './types.ts'
import { makeWorld, startClient } from './world.ts'

/** How long a story waits for a call. */
const patience = 30

/** The world whose story is being played: what the process reports is its doing. */
export let playing: World | undefined

export async function play(story: Story): Promise<void> {
  const { world, folder, end } = makeWorld(story)
  playing = world
  try {
    note(world, `store: ${story.store}; both MCP servers name ${story.names}`)
    if (story.guise !== undefined) disguise(world, story.guise)
    note(world, `the hostile server names ${JSON.stringify(world.issuers.hostile.endpoints)}`)
    await readConfig(world)
    world.clients.push(
      startClient(world, story.main),
      startClient(world, story.peer ?? story.main, storeOfPeer(world)),
    )
    for (const operation of story.operations) {
      if (world.violations.length > 0) break
      await perform(world, operation)
      await checkRecords(world)
    }
    await finish(world)
    if (folder !== undefined && existsSync(folder)) await world.recorder.readFiles(folder)
  } finally {
    playing = undefined
    await end()
  }
  if (world.violations.length === 0) return
  throw new Error(`${world.violations.join('\n')}\n\nThe story:\n${world.story.join('\n')}\n`)
}

/** Who waits for the lock of a file waits in the time of this machine, so files are for one client. */
function storeOfPeer({ memory }: World): World['store'] {
  return memory
}

/** Trusts the project's file where the story does, and reads the config files. */
async function readConfig(world: World): Promise<void> {
  const { machine, store } = world
  if (machine === undefined) return
  const { project, environment } = machine.settings
  const options = {
    ...(store === undefined ? {} : { store }),
    ...(environment === undefined ? {} : { environment }),
  }
  const read = () => loadConfig(options)
  if (project === 'trusted' || project === 'changed')
    await (await read()).trust(machine.projectFile)
  if (project === 'changed') machine.edit()
  world.config = await read()
}

/** Changes what lies beside the clients. */
async function changeMachine(world: World, operation: FrontOperation): Promise<void> {
  const { machine, store, clients } = world
  if (operation.do === 'edit the project') return machine?.edit()
  if (store === undefined || machine === undefined) return
  if (operation.do === 'run a command') {
    // A command in another process waits for a lock in the time of this machine.
    const isIdle = clients.every(({ open, underWay }) => open.size === 0 && underWay === 0)
    if (world.memory === undefined && isIdle && process.platform === 'linux') {
      await pass(world.time, patience, runCommand(world, operation))
    }
    return
  }
  const change = changeKey(world, store, operation)
  await pass(
    world.time,
    patience,
    change.catch((error: unknown) => {
      world.recorder.thrown(error, `the error of ${operation.do}`)
    }),
  )
}

/** Everybody behaves, all clients end, and what was under way comes to its end. */
async function finish(world: World): Promise<void> {
  world.user = 'logs in'
  for (const client of world.clients) if (!client.closed) void close(world, client)
  await pass(world.time, 60)
  // The verifiers in them are known by now.
  for (const state of world.sealed) world.recorder.published('a sealed state', state)
  if (world.machine?.hasRun() === true)
    violate(world, 'a command of a file was run that nobody trusts')
}

async function perform(world: World, operation: Operation): Promise<void> {
  const { do: what, ...details } = operation
  const client = 'who' in operation ? world.clients[operation.who] : undefined
  note(world, `-- ${client?.name ?? ''} ${what} ${told(details)}`)
  if (client === undefined) return change(world, operation)
  switch (operation.do) {
    case 'request':
      return hold(world, operation, send(world, client, operation.to))
    case 'login':
      return hold(
        world,
        operation,
        begin(world, client, 'login', (signal) => client.fetch.login({ signal })),
      )
    case 'renew':
      return hold(
        world,
        operation,
        begin(
          world,
          client,
          'renew',
          (signal) => client.fetch.manager?.renew({ signal }) ?? Promise.resolve(),
        ),
      )
    case 'logout':
      // A bridge has none: who logs out uses the command line.
      if (client.config.form === 'bridge') return
      return hold(world, operation, logout(world, client))
    case 'close':
      return hold(world, operation, close(world, client))
    case 'abort':
      for (const { controller } of client.open) controller.abort()
      return pass(world.time, 0)
    case 'restart': {
      if (!client.closed) await hold(world, { waits: true }, close(world, client))
      const store = operation.who === 0 ? world.store : storeOfPeer(world)
      world.clients[operation.who] = startClient(world, operation.config ?? client.config, store)
      return
    }
    default:
      return
  }
}

/** Waits for a call, or goes on while it is under way. */
function hold(world: World, { waits }: { waits: boolean }, call: Promise<unknown>): Promise<void> {
  return pass(world.time, waits ? patience : 0, call)
}

function told(details: object): string {
  const { config: _config, who: _who, ...rest } = details as Record<string, unknown>
  return Object.keys(rest).length === 0 ? '' : JSON.stringify(rest)
}

type Change = Exclude<Operation, { readonly who: number }>

async function change(world: World, operation: Operation): Promise<void> {
  const { issuers, resources } = world
  const given = operation as Change
  switch (given.do) {
    case 'names':
      resources[given.resource].issuer = given.issuer
      return
    case 'resource': {
      const { do: _do, resource, ...state } = given
      Object.assign(resources[resource], state)
      return
    }
    case 'answers': {
      const { do: _do, issuer, ...state } = given
      Object.assign(issuers[issuer], state)
      return
    }
    case 'traits':
      Object.assign(issuers[given.issuer], given.traits)
      return
    case 'guise':
      return disguise(world, given.guise)
    case 'user':
      world.user = given.manner
      return
    case 'all tokens end':
      for (const token of world.tokens.values()) token.revoked = true
      return
    case 'advance':
      return pass(world.time, given.seconds)
    default:
      return changeMachine(world, given)
  }
}

/** The hostile server says something else about itself from now on. */
function disguise(world: World, guise: Guise): void {
  Object.assign(world.issuers.hostile, guise)
  for (const name of endpointNames) {
    const party = guise.endpoints[name]
    if (party !== undefined) delegate(world, 'hostile', party)
  }
}

/** Makes a call, and reads what becomes of it. */
async function begin(
  world: World,
  client: ClientState,
  what: string,
  run: (signal: AbortSignal) => Promise<unknown>,
): Promise<boolean> {
  const call: OpenCall = { id: nextNumber(world), what, controller: new AbortController() }
  client.open.add(call)
  try {
    const result = await run(call.controller.signal)
    const said = result instanceof Response ? `: ${result.status} ${await drained(result)}` : ''
    note(world, `   ${client.name} ${what} ends${said}`)
    return true
  } catch (error) {
    const { code = '', message = '' } = error as { code?: string; message?: string }
    note(world, `   ${client.name} ${what} fails: ${code} ${world.canaries.describe(message)}`)
    world.recorder.thrown(error, `the error of ${what}`)
    return false
  } finally {
    client.open.delete(call)
  }
}

async function drained(response: Response): Promise<string> {
  await response.text()
  return ''
}

function send(world: World, client: ClientState, wanted: Target): Promise<boolean> {
  const { resource, binds } = client.config
  const to = binds && !client.isBound ? 'its server' : wanted
  client.isBound = true
  const targets: Record<Target, string> = {
    'its server': urlOf(resource),
    'the other server': urlOf(resource === 'notes' ? 'wiki' : 'notes'),
    'a token endpoint': `${originOf('honest')}/token`,
    elsewhere,
  }
  const headers = { 'Content-Type': 'application/json' }
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  return begin(world, client, 'request', (signal) =>
    client.fetch(targets[to], { method: 'POST', headers, body, signal }),
  )
}

async function close(world: World, client: ClientState): Promise<void> {
  const isDone = await begin(world, client, 'close', () => client.fetch.close())
  if (isDone) client.closed = true
}

/** After a logout, what it gave up is used no more: by nobody who could know. */
async function logout(world: World, client: ClientState): Promise<void> {
  const isIdle = ({ open, underWay }: ClientState) => open.size === 0 && underWay === 0
  const unaware = new Set(world.clients.filter((each) => each !== client && !isIdle(each)))
  const before = await storedGrants(world)
  client.unfinishedLogouts += 1
  const isDone = await begin(world, client, 'logout', () => client.fetch.logout())
  if (!isDone) return
  // Whoever logs out is asked again.
  client.unaskedLogins.length = 0
  client.unfinishedLogouts = 0
  for (const token of world.tokens.values()) {
    if (token.holders.has(client)) token.givenUpBy.add(client)
  }
  const after = await storedGrants(world)
  const removed = [...before].filter((grant) => !after.has(grant))
  // Also one that was not presented yet.
  grantGiven(world, client.config)?.holders.add(client)
  const own = [...world.grants.values()].filter(({ holders }) => holders.has(client))
  for (const grant of [...own, ...removed]) {
    const isUnderWay = [...grant.holders].some((holder) => unaware.has(holder))
    if (grant.kind !== 'refresh token' || isUnderWay) continue
    grant.givenUp ??= `the logout of ${client.name}`
  }
}

/** The refresh tokens that rest in a store in memory. */
async function storedGrants(world: World): Promise<ReadonlySet<GrantState>> {
  const records = await readRecords(world)
  const grants = records.map(({ data }) => world.grants.get(String(data['refreshToken'])))
  return new Set(grants.filter((grant) => grant !== undefined))
}

async function readRecords({ memory }: World) {
  const keys = (await memory?.list()) ?? []
  const records = await Promise.all(keys.map((key) => memory?.get(key)))
  return records.filter((record) => record !== undefined)
}

/** What is stored under an issuer is its own; and the names of records say nothing. */
async function checkRecords(world: World): Promise<void> {
  const { memory, recorder, grants, tokens, delegates, canaries, machine } = world
  canaries.learn('store key', machine?.madeKey() ?? '', [])
  for (const key of (await memory?.list()) ?? []) recorder.published('the name of a record', key)
  for (const { issuer = '', data } of await readRecords(world)) {
    const owner = partyOf(issuer)
    const parts = [
      grants.get(String(data['refreshToken'])),
      tokens.get(String(data['accessToken'])),
    ]
    for (const part of parts) {
      if (part === undefined || part.issuer === owner) continue
      if (delegates.get(part.issuer)?.has(owner) === true) continue
      violate(world, `the record of ${owner} holds ${part.label}`)
    }
  }
}
