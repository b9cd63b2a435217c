/** Plays a story against the library. */

import { abort, addClient, begin, type CallOptions } from './clients.ts'
import { credentialOf } from './issuer.ts'
import type { Operation, Story } from './operations.ts'
import { recover } from './recovery.ts'
import { memoryStore } from './subject.ts'
import { virtualTime } from './time.ts'
import {
  type Call,
  type Client,
  type Config,
  limitOf,
  nextOrder,
  note,
  type Token,
  violate,
  type World,
} from './types.ts'

export function makeWorld(config: Config): World {
  const onHot = (count: number, delay: string) =>
    violate(world, `${count} timers go off in one second, the last after ${delay}`)
  const world: World = {
    config,
    time: virtualTime(onHot),
    clients: [],
    calls: [],
    tokens: new Map(),
    violations: [],
    story: [`settings: ${JSON.stringify(config)}`],
    records: memoryStore(),
    ended: new Map(),
    holders: new Map(),
    keys: new Map(),
    openBodies: new Set(),
    shared: new AbortController(),
    issuer: { kind: 'prompt' },
    grants: 'asked',
    revoke: 'ok',
    server: { kind: 'ok' },
    store: 'ok',
    applySeconds: 0,
    applying: 0,
    dateOff: 0,
    storeFailed: false,
    recordsDeleted: false,
    clockSetBack: false,
    healthy: false,
    activeTenant: config.form === 'tenants' ? 'a' : '',
    orders: 0,
    frozenAnswers: false,
    lastFreeze: -Infinity,
  }
  return world
}

/** Twice the time for grants that were sent and for the store, because the process may be stopped meanwhile. */
const closeLimitMs = 20_000

interface Processes {
  main: Client
  peer: Client
  restarts: number
}

/** The world whose story is being played: what the process reports is its doing. */
export let playing: World | undefined

export async function play({ config, operations }: Story): Promise<void> {
  const world = makeWorld(config)
  playing = world
  try {
    const processes: Processes = {
      main: addClient(world, 'main'),
      peer: addClient(world, 'peer'),
      restarts: 0,
    }
    for (const operation of operations) {
      if (world.violations.length > 0) break
      const { do: what, ...details } = operation
      note(world, `-- ${what} ${JSON.stringify(details)}`)
      await perform(world, processes, operation)
      await world.time.settle()
      checkOpenCalls(world)
    }
    if (world.violations.length === 0) await recover(world)
  } finally {
    world.time.restore()
    playing = undefined
  }
  if (world.violations.length === 0) return
  throw new Error(`${world.violations.join('\n')}\n\nThe story:\n${world.story.join('\n')}\n`)
}

function checkOpenCalls(world: World): void {
  for (const { open, closedElapsed, name } of world.clients) {
    const since = Math.max(closedElapsed, world.lastFreeze)
    const isOver = world.time.elapsed() > since + closeLimitMs
    for (const call of open) {
      if (call.aborted) violate(world, `#${call.id} ${call.what} was aborted and goes on`)
      // What was sent before is answered by the server, or never.
      if (isOver && call.sends === 0)
        violate(world, `#${call.id} ${call.what} of ${name} goes on after close()`)
    }
  }
}

async function perform(world: World, processes: Processes, operation: Operation): Promise<void> {
  const { time } = world
  const isOver = () => world.violations.length > 0
  switch (operation.do) {
    case 'request':
    case 'burst':
      return send(world, processes, operation)
    case 'login':
    case 'renew':
    case 'credential': {
      const controller = operation.abortable ? new AbortController() : undefined
      const { tenant } = operation
      begin(
        world,
        operation.peer ? processes.peer : processes.main,
        operation.do,
        options(world, tenant, { controller }),
      )
      return
    }
    case 'logout':
      begin(
        world,
        operation.peer ? processes.peer : processes.main,
        'logout',
        options(world, operation.tenant, { drops: operation.registration }),
      )
      return
    case 'peer request':
      begin(world, processes.peer, 'request', options(world, operation.tenant))
      return
    case 'close':
      begin(world, processes.main, 'close', options(world, world.activeTenant))
      return
    case 'restart':
      if (processes.main.closedAt === 0)
        begin(world, processes.main, 'close', options(world, world.activeTenant))
      processes.restarts += 1
      processes.main = addClient(world, `main-${processes.restarts + 1}`)
      return
    case 'abort':
    case 'abort shared':
      return abortSome(world, operation.do === 'abort shared')
    case 'server revokes':
      return revokeAll(world)
    case 'advance':
      return time.advance(operation.seconds * 1000, isOver)
    case 'jump':
      world.clockSetBack ||= operation.seconds < 0
      forgetLogins(world)
      return time.jump(operation.seconds * 1000)
    case 'freeze':
      return freeze(world, operation.seconds)
    case 'approach renewal':
      return approachRenewal(world, processes.main, options(world, operation.tenant).tenant)
    default:
      return change(world, processes, operation)
  }
}

function options(world: World, tenant: string, rest: Partial<CallOptions> = {}): CallOptions {
  return { tenant: world.config.form === 'tenants' ? tenant : '', ...rest }
}

type Sending = Extract<Operation, { readonly do: 'request' | 'burst' }>

async function send(world: World, { main }: Processes, operation: Sending): Promise<void> {
  const { tenant, wants } = operation
  const controllerOf = () => (operation.shared ? world.shared : undefined)
  if (operation.do === 'request') {
    const { abort: when, streamed } = operation
    const controller = when === 'never' ? controllerOf() : new AbortController()
    if (when === 'before') controller?.abort(new DOMException('enough', 'AbortError'))
    const call = begin(
      world,
      main,
      'request',
      options(world, tenant, { controller, wants, streamed }),
    )
    if (when === 'before') call.aborted = true
    return
  }
  for (let count = 0; count < operation.count; count += 1) {
    begin(world, main, 'request', options(world, tenant, { controller: controllerOf(), wants }))
    if (!operation.together) await world.time.settle()
  }
}

function abortSome(world: World, shared: boolean): void {
  const open = world.clients.flatMap(({ open: calls }) => [...calls])
  const isShared = ({ controller }: Call) => controller === world.shared
  const chosen = shared
    ? open.filter(isShared)
    : open.filter((call) => call.controller !== undefined && !isShared(call)).slice(0, 1)
  for (const call of chosen) call.aborted = true
  for (const call of chosen) abort(world, call)
}

/** Nobody can say how long ago they were once the clock was set. */
function forgetLogins(world: World): void {
  for (const { tenantStates } of world.clients) {
    for (const tenantState of tenantStates.values()) tenantState.unaskedLogins = []
  }
}

function revokeAll(world: World): void {
  for (const token of world.tokens.values()) token.revoked = true
  // Every client needs another one.
  for (const { tenantStates } of world.clients) {
    for (const { allowances } of tenantStates.values()) allowances.push(world.time.counted())
  }
}

/** Lets time pass until two seconds before the credential may be renewed. */
async function approachRenewal(world: World, main: Client, tenant: string): Promise<void> {
  const expiresAt = main.tenantStates.get(tenant)?.current?.expiresAt
  const { life = 0, random } = world.config
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) return
  const early = Math.min(300, Math.max(life / 5, Math.min(30, life / 2)))
  const left = expiresAt - early * (1 - 0.3 * random) * 1000 - 2000 - world.time.wall()
  if (left > 0) await world.time.advance(left, () => world.violations.length > 0)
}

async function freeze(world: World, seconds: number): Promise<void> {
  world.frozenAnswers = isAnswerComing(world, seconds)
  await world.time.freeze(seconds * 1000)
  world.lastFreeze = world.time.elapsed()
  // What the library gives the socket after it has overslept.
  await world.time.advance(50)
  world.frozenAnswers = false
}

/** An answer that an issuer gives in time, though the process is stopped when it comes. */
function isAnswerComing(world: World, seconds: number): boolean {
  const mode = world.issuer
  if (mode.kind !== 'slow' || world.applying > 0 || world.store !== 'ok') return false
  const now = world.time.elapsed()
  // A time limit is extended once.
  if (now - world.lastFreeze < limitOf(world)) return false
  const open = world.clients.flatMap(({ tenantStates }) =>
    [...tenantStates.values()].flatMap(({ acquisitions }) => acquisitions),
  )
  const waiting = open.filter(({ state }) => state === 'open')
  const comes = ({ at }: { at: number }) => at + mode.seconds * 1000
  const isInTime = ({ at }: { at: number }) => now - at < limitOf(world)
  return (
    waiting.length > 0 &&
    waiting.every(
      (each) => isInTime(each) && comes(each) > now && comes(each) <= now + seconds * 1000,
    )
  )
}

type Change = Exclude<
  Operation,
  Sending | { readonly do: 'login' | 'renew' | 'credential' | 'logout' | 'peer request' }
>

async function change(world: World, { main }: Processes, operation: Change): Promise<void> {
  switch (operation.do) {
    case 'issuer':
      world.issuer = operation.mode
      return
    case 'server':
      world.server = operation.mode
      return
    case 'store':
      world.store = operation.mode
      return
    case 'grants':
      world.grants = operation.mode
      return
    case 'revocation':
      world.revoke = operation.mode
      return
    case 'apply':
      world.applySeconds = operation.seconds
      return
    case 'date':
      world.dateOff = operation.seconds * 1000
      return
    case 'another program writes':
    case 'another program deletes':
      return changeRecord(world, main, operation.do, options(world, operation.tenant).tenant)
    default:
      return
  }
}

/** Another program logs in or deletes the record, while nobody holds its lock. */
async function changeRecord(
  world: World,
  main: Client,
  what: string,
  tenant: string,
): Promise<void> {
  const key = world.keys.get(tenant)
  if (key === undefined || (world.holders.get(key) ?? 0) > 0) return
  if (what === 'another program deletes') {
    world.recordsDeleted = true
    await world.records.delete(key)
    return
  }
  const before = await world.records.get(key)
  const number = world.tokens.size + 1
  const life = world.config.life ?? 3600
  const token: Token = {
    name: `token-${number}`,
    tenant,
    scope: 'read',
    grant: { name: `grant-${number}`, redeemedBy: [], refused: false },
    acquisition: undefined,
    order: nextOrder(world),
    expiresAt: world.time.wall() + life * 1000,
    isDoubtful: false,
    isLate: false,
    rejectedAt: Infinity,
    diesAt: world.time.truth() + life * 1000,
    revoked: false,
    revocationAsked: false,
    storedOrder: nextOrder(world),
  }
  world.tokens.set(token.name, token)
  const { record } = credentialOf(world, main, token)
  if (record === undefined) return
  await world.records.set(key, { ...record, generation: (before?.generation ?? 0) + 1 })
}
