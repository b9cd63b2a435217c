/**
 * A Worker that shares one authorized `fetch` per scenario over all its requests, as an application does
 * that makes its clients at module scope.
 *
 * @module
 */
import { authorizedFetch, CredentialError, type CredentialProvider } from 'mcp-credentials'

/** Where the MCP server and the issuer are; put in when the Worker is bundled. */
declare const ORIGIN: string

/** How one call is made. */
export interface WorkerCall {
  /** Which of the shared functions sends it. */
  readonly scenario: string
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
  /** The credential with which the server was called last. */
  readonly token?: string
  /** Name, code and message of what was thrown. */
  readonly error?: string
  /** The Worker did not wait for the outcome. */
  readonly left?: true
}

const forward = new Map<string, number>()
const clock = (scenario: string) => () => Date.now() + 1000 * (forward.get(scenario) ?? 0)

/** Gets a token of an hour from the issuer, which numbers them. */
function issued(scenario: string): CredentialProvider {
  return {
    name: 'issued',
    async acquire({ fetch, signal, now }) {
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
  }
}

function shared(scenario: string, acquireTimeout: number): [string, typeof fetch] {
  const resource = `${ORIGIN}/${scenario}/mcp`
  const now = clock(scenario)
  return [scenario, authorizedFetch(issued(scenario), { resource, acquireTimeout, now })]
}

// At module scope, where a Worker may neither set timers nor draw random numbers.
const fetches = new Map([
  shared('sequence', 2),
  shared('crowd', 2),
  shared('starter-leaves', 2),
  shared('starter-aborts', 2),
  shared('one-aborts', 2),
  shared('late-joiner', 2),
  shared('background', 2),
  shared('background-idle', 1),
  shared('refused', 2),
  shared('refused-and-left', 2),
  shared('time-limit', 0.5),
  shared('issuer-down', 2),
])

async function answer(call: WorkerCall): Promise<WorkerAnswer> {
  const { scenario, leaveAfter, abortAfter } = call
  forward.set(scenario, (forward.get(scenario) ?? 0) + (call.forward ?? 0))
  const send = fetches.get(scenario)
  if (send === undefined) return { error: `There is no scenario ${scenario}.` }
  const controller = new AbortController()
  if (abortAfter !== undefined) {
    setTimeout(() => controller.abort(new Error('The caller has gone.')), abortAfter)
  }
  const sent = send(`${ORIGIN}/${scenario}/mcp`, {
    method: 'POST',
    body: '{}',
    signal: controller.signal,
  }).then(
    async (response): Promise<WorkerAnswer> => ({
      status: response.status,
      token: await response.text(),
    }),
    (error: Error & { code?: string }): WorkerAnswer => ({
      error: `${error.name} ${error.code ?? ''}: ${error.message}`,
    }),
  )
  if (leaveAfter === undefined) {
    const outcome = await sent
    await new Promise((resolve) => setTimeout(resolve, call.stayFor ?? 0))
    return outcome
  }
  const left = new Promise<WorkerAnswer>((resolve) => {
    setTimeout(() => resolve({ left: true }), leaveAfter)
  })
  return Promise.race([sent, left])
}

// The default export is how a Worker is made.
export default {
  async fetch(request: Request): Promise<Response> {
    return Response.json(await answer((await request.json()) as WorkerCall))
  },
}
