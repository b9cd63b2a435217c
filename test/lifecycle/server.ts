/** An MCP server behind the option `fetch`, and the records of a store behind its handle. */
import type { CredentialRecord, CredentialStore } from '../../src/index.ts'
import { checkLock, checkSent, checkWritten } from './invariants.ts'
import { checkRemoved, noteStored } from './newest-login.ts'
import { type Call, type Client, nextOrder, note, type Token, type World } from './types.ts'

/** Answers the requests of one client. */
export function serve(
  world: World,
  client: Client,
  input: string | URL,
  init: RequestInit = {},
): Promise<Response> {
  const signal = init.signal ?? undefined
  // As in the platform's fetch: nothing leaves then.
  if (signal?.aborted === true) return Promise.reject(signal.reason)
  const headers = new Headers(init.headers)
  const name = headers.get('Authorization')?.replace('Bearer ', '')
  const token = name === undefined ? undefined : world.tokens.get(name)
  const call = world.calls[Number(headers.get('x-call')) - 1]
  const url = new URL(input)
  note(world, `${client.name}: #${call?.id} is sent with ${token?.name} to ${url.pathname}`)
  checkSent(world, client, token, call)
  if (call !== undefined) {
    call.sends += 1
    call.lastToken = token
  }
  const responding = respond(world, token, call, url, headers, signal)
  return signal === undefined ? responding : unlessAborted(responding, signal)
}

async function respond(
  world: World,
  token: Token | undefined,
  call: Call | undefined,
  url: URL,
  headers: Headers,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const mode = world.server
  if (mode.kind === 'hangs')
    return new Promise(
      (resolve) => void world.openBodies.add(() => resolve(new Response(null, { status: 504 }))),
    )
  if (mode.kind === 'slow') await world.time.sleep(mode.seconds * 1000)
  const answer = (
    status: number,
    extra: Record<string, string> = {},
    body: BodyInit | null = '',
  ) => {
    note(world, `the server answers #${call?.id} with ${status}`)
    if (call !== undefined) call.lastStatus = status
    const date = new Date(world.time.truth() + world.dateOff).toUTCString()
    return new Response(body, { status, headers: { Date: date, ...extra } })
  }
  if (mode.kind === 'network error') throw new TypeError('fetch failed')
  if (mode.kind === 'unwilling')
    return answer(mode.status, { 'Retry-After': String(mode.retryAfter) })
  if (mode.kind === 'moved' && url.pathname !== '/moved') return answer(307, { Location: '/moved' })
  if (mode.kind === 'login page') return answer(302, { Location: 'https://login.example.com/' })
  const isGood = token !== undefined && !token.revoked && world.time.truth() < token.diesAt
  if (mode.kind === 'always 401' || !isGood) {
    return answer(401, { 'WWW-Authenticate': 'Bearer error="invalid_token"' })
  }
  const wanted = scopeWanted(world, headers)
  const has = new Set((token.scope ?? '').split(' '))
  if (wanted?.split(' ').some((scope) => !has.has(scope)) === true) {
    if (call !== undefined) call.named = wanted
    const challenge = `Bearer error="insufficient_scope", scope="${wanted}"`
    return answer(403, { 'WWW-Authenticate': challenge })
  }
  if (mode.kind === 'event stream') return answer(200, {}, eventStream(world, signal))
  return answer(200, {}, 'fine')
}

function scopeWanted({ server, orders }: World, headers: Headers): string | undefined {
  if (server.kind !== 'insufficient scope') return headers.get('x-wants') ?? undefined
  if (server.names === 'honest') return 'read write'
  return server.names === 'random' ? `scope-${orders}` : `s${orders} ${'x'.repeat(10_000)}`
}

function eventStream(world: World, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const end = () => {
        world.openBodies.delete(end)
        try {
          controller.close()
        } catch {
          // It was cancelled.
        }
      }
      world.openBodies.add(end)
      if (signal !== undefined) onAbort(signal, end)
    },
  })
}

// One listener for each signal, however many requests share it: only the library's are counted.
const listeners = new WeakMap<AbortSignal, Set<() => void>>()

function onAbort(signal: AbortSignal, run: () => void): () => void {
  let all = listeners.get(signal)
  if (all === undefined) {
    const made = new Set<() => void>()
    all = made
    listeners.set(signal, made)
    signal.addEventListener('abort', () => {
      for (const each of made) each()
    })
  }
  const set = all
  set.add(run)
  return () => void set.delete(run)
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason))
    promise.then(resolve, reject).finally(forget)
  })
}

/** How many of a signal's listeners are this world's own. */
export function ownListeners(signal: AbortSignal): number {
  return listeners.has(signal) ? 1 : 0
}

/** One client's way to the records that all share. */
export function storeFor(world: World, client: () => Client): CredentialStore {
  const { records } = world
  const pass = async (operation: 'get' | 'set' | 'delete' | 'lock' | 'list') => {
    const { store } = world
    if (store === 'slow once' && operation === 'get') {
      world.store = 'ok'
      await world.time.sleep(6000)
    }
    if (store === 'slow' && operation !== 'lock') await world.time.sleep(2000)
    const fails = store === 'fails' || store === `${operation} fails`
    if (!fails) return
    world.storeFailed = true
    throw new Error(`the store cannot ${operation}`)
  }
  return {
    async get(key) {
      const record = await records.get(key)
      await pass('get')
      return record
    },
    async set(key, record) {
      await pass('set')
      const token = tokenOf(world, record)
      note(
        world,
        `${client().name}: writes ${token?.name}${record.pending === undefined ? '' : ', pending'}`,
      )
      checkWritten(world, client(), token)
      if (token !== undefined) world.keys.set(token.tenant, key)
      if (token !== undefined) noteStored(world, token.tenant, token)
      if (token !== undefined) token.storedOrder = Math.min(token.storedOrder, nextOrder(world))
      return records.set(key, record)
    },
    async delete(key) {
      const tenant = [...world.keys].find(([, each]) => each === key)?.[0] ?? ''
      checkRemoved(world, client(), tenant)
      await pass('delete')
      noteStored(world, tenant, undefined)
      note(world, `${client().name}: deletes the record`)
      world.recordsDeleted = true
      return records.delete(key)
    },
    list: () => records.list(),
    async lock(key, task, signal) {
      await pass('lock')
      const run = async (lease: AbortSignal) => {
        checkLock(world, key, 1)
        try {
          return await task(lease)
        } finally {
          checkLock(world, key, -1)
        }
      }
      return records.lock(key, run, signal)
    },
  }
}

function tokenOf(world: World, record: CredentialRecord): Token | undefined {
  return world.tokens.get(String(record.data['token']))
}
