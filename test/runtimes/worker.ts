/**
 * A Worker that shares one authorized `fetch` per scenario over all its requests, as an application does
 * that makes its clients at module scope.
 *
 * @module
 */
import {
  authorizedFetch,
  CredentialError,
  type CredentialProvider,
  type CredentialStore,
  TokenManager,
  withCredentials,
} from 'mcp-credentials'
import { clientCredentials } from 'mcp-credentials/oauth'
import { memoryStore } from 'mcp-credentials/testing'

/** Where the MCP server and the issuer are; put in when the Worker is bundled. */
declare const ORIGIN: string

/** How one call is made. */
export interface WorkerCall {
  /** Which of the shared functions sends it. */
  readonly scenario: string
  /** Instead of a request: what is done with a token manager. */
  readonly manager?: 'credential' | 'logout' | 'close'
  /** Instead of a request: milliseconds for which one lock of the shared store is held. */
  readonly lockFor?: number
  /** Milliseconds after which the Worker answers without waiting for the call any longer. */
  readonly leaveAfter?: number
  /** Milliseconds that the Worker's request goes on after the call. */
  readonly stayFor?: number
  /** Milliseconds after which the call's own signal aborts. */
  readonly abortAfter?: number
  /** Seconds by which the scenario's clock is set forward before the call. */
  readonly forward?: number
}

/** What came of it. */
export interface WorkerAnswer {
  /** Of the MCP server; absent when the call failed or was left. */
  readonly status?: number
  /** How many held the lock at once. */
  readonly holders?: number
  /** The credential with which the server was called last. */
  readonly token?: string
  /** Name, code and message of what was thrown. */
  readonly error?: string
  /** The Worker did not wait for the outcome. */
  readonly left?: true
}

const forward = new Map<string, number>()
const clock = (scenario: string) => () => Date.now() + 1000 * (forward.get(scenario) ?? 0)

/** Gets a token of an hour from the issuer, which numbers them; for a grant that is good for one use. */
function issued(scenario: string, isSingleUse = false): CredentialProvider {
  return {
    name: 'issued',
    async acquire({ fetch, signal, now, commit }) {
      if (isSingleUse) await commit()
      const response = await fetch(`${ORIGIN}/${scenario}/token`, { method: 'POST', signal })
      const token = await response.text()
      if (!response.ok) {
        throw new CredentialError('server_error', 'The issuer is down.', { retryable: true })
      }
      return {
        expiresAt: now() + 3_600_000,
        apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
      }
    },
    async revoke(_credential, { fetch, signal }) {
      return (await fetch(`${ORIGIN}/${scenario}/revoke`, { method: 'POST', signal })).ok
    },
  }
}

/** The same, kept in a store, whose lock is held while the issuer is asked. */
function stored(scenario: string): CredentialProvider {
  const provider = issued(scenario)
  return {
    ...provider,
    async acquire(context) {
      const credential = await provider.acquire(context)
      const { expiresAt } = credential
      const record = { version: 1, provider: 'issued', data: { kept: true } } as const
      return { ...credential, record: { ...record, ...(expiresAt ? { expiresAt } : {}) } }
    },
    restore: async () => undefined,
  }
}

function shared(
  scenario: string,
  acquireTimeout: number,
  provider = issued(scenario),
  store?: CredentialStore,
): [string, typeof fetch] {
  const resource = `${ORIGIN}/${scenario}/mcp`
  const options = { resource, acquireTimeout, now: clock(scenario) }
  const send = authorizedFetch(provider, store === undefined ? options : { ...options, store })
  return [scenario, send]
}

function managed(scenario: string): [string, TokenManager] {
  const resource = `${ORIGIN}/${scenario}/mcp`
  return [scenario, new TokenManager(issued(scenario), { resource, acquireTimeout: 2 })]
}

const store = memoryStore()
let holders = 0

async function holdLock(milliseconds: number): Promise<WorkerAnswer> {
  return store.lock('one', async () => {
    holders += 1
    const answer = { holders }
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    holders -= 1
    return answer
  })
}

// At module scope, where a Worker may neither set timers nor draw random numbers.
const fetches = new Map<string, typeof fetch>([
  ['unbound', withCredentials(issued('unbound')).fetch],
  shared('crowd', 2),
  shared('long-answer', 2),
  shared('starter-leaves', 2),
  shared('starter-aborts', 2),
  shared('one-aborts', 2),
  shared('late-joiner', 2),
  shared('background', 2),
  shared('background-idle', 1),
  shared('refused', 2),
  shared('refused-and-left', 2),
  shared('time-limit', 0.5),
  shared('time-limit-left', 2),
  shared('issuer-down', 2),
  shared('single-use', 2, issued('single-use', true)),
  shared('overdue', 0.5, issued('overdue', true)),
  shared('stored', 5, stored('stored'), store),
  shared('oauth', 2, clientCredentials({ clientId: 'worker', clientSecret: 's', issuer: ORIGIN })),
])
const managers = new Map([managed('closed'), managed('logged-out'), managed('logout-left')])

async function send({ scenario, lockFor }: WorkerCall, signal: AbortSignal): Promise<WorkerAnswer> {
  if (lockFor !== undefined) return holdLock(lockFor)
  const shared = fetches.get(scenario)
  if (shared === undefined) throw new Error(`There is no scenario ${scenario}.`)
  const init = { method: 'POST', body: '{}', signal }
  const response = await shared(`${ORIGIN}/${scenario}/mcp`, init)
  return { status: response.status, token: await response.text() }
}

async function manage(call: WorkerCall, signal: AbortSignal): Promise<WorkerAnswer> {
  const manager = managers.get(call.scenario)
  if (call.manager === 'close') await manager?.close()
  if (call.manager === 'logout') await manager?.logout()
  if (call.manager === 'credential') {
    const credential = await manager?.credential({ signal })
    return credential === undefined ? { error: 'There is no such manager.' } : { status: 200 }
  }
  return {}
}

async function answer(call: WorkerCall): Promise<WorkerAnswer> {
  const { scenario, leaveAfter, abortAfter } = call
  forward.set(scenario, (forward.get(scenario) ?? 0) + (call.forward ?? 0))
  const controller = new AbortController()
  if (abortAfter !== undefined) {
    setTimeout(() => controller.abort(new Error('The caller has gone.')), abortAfter)
  }
  const make = call.manager === undefined ? send : manage
  const outcome = make(call, controller.signal).catch(
    (error: Error & { code?: string }): WorkerAnswer => ({
      error: `${error.name} ${error.code ?? ''}: ${error.message}`,
    }),
  )
  const passed = (milliseconds: number) =>
    new Promise<WorkerAnswer>((resolve) => {
      setTimeout(() => resolve({ left: true }), milliseconds)
    })
  if (leaveAfter !== undefined) return Promise.race([outcome, passed(leaveAfter)])
  await outcome
  await passed(call.stayFor ?? 0)
  return outcome
}

/** The entry point, which workerd finds by its name. */
export const worker = {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await answer((await request.json()) as WorkerCall))
  },
}
