/**
 * The requirements for every provider, as cases for any test runner.
 *
 * @module
 */
import { inspect } from 'node:util'
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
  OutgoingRequest,
} from '../credential.ts'
import { isTransportHeader } from '../transport-headers.ts'
import { acquireContext } from './acquire-context.ts'
import { type ContractCase, check, equal } from './contract-case.ts'

interface Subject {
  readonly provider: CredentialProvider
  /** The context of an acquisition by this provider; its records are shared. */
  context(overrides?: Partial<AcquireContext>): AcquireContext
}

// Moments before the year 2001 are seconds that were taken for milliseconds.
const earliestMs = 978_307_200_000
const settleTimeoutMs = 5000

/**
 * The contract of a {@link CredentialProvider} as test cases. Run them against your own servers or those of
 * this module: the provider acquires credentials in most of them.
 *
 * @param options.provider - Makes a provider that shares no state with earlier ones; called for each case.
 * @param options.context - The context of its acquisitions, such as `resource` and `fetch`; see
 * {@link acquireContext}.
 * @param options.secrets - Texts that must not appear in the provider, its credentials and its errors.
 * Default: none.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { apiKey } from 'mcp-credentials'
 * import { providerContract } from 'mcp-credentials/testing'
 *
 * const cases = providerContract({ provider: () => apiKey({ value: 'key-1' }), secrets: ['key-1'] })
 * for (const { name, run } of cases) test(name, run)
 * ```
 * @group Contracts
 */
export function providerContract(options: {
  readonly provider: () => CredentialProvider
  readonly context?: Partial<AcquireContext>
  readonly secrets?: readonly string[]
}): readonly ContractCase[] {
  const secrets = options.secrets ?? []
  const on = (name: string, run: (subject: Subject) => Promise<void>): ContractCase => ({
    name,
    async run() {
      const shared = acquireContext(options.context)
      const context = (overrides: Partial<AcquireContext> = {}) => ({ ...shared, ...overrides })
      await run({ provider: options.provider(), context })
    },
  })
  return [
    on('has a name, and traits within their limits', checkTraits),
    on('sets headers of its own, and leaves those of the transport', checkHeaders),
    on('gives moments in milliseconds since the epoch, with the expiry in the future', checkTimes),
    on('acquires again after its first credential', checkRenewal),
    on('serves several acquisitions at the same time', checkConcurrency),
    on('settles when its signal aborts', checkAbort),
    on('shows no secret', (subject) => checkSecrecy(subject, secrets)),
    on('shows no secret when its requests fail', (subject) => checkErrors(subject, secrets)),
    on("restores its own record, and no other provider's", checkRestore),
    on('waits for `commit` before it sends a single-use grant', checkCommit),
    on('sends nothing more when `commit` fails', checkFailedCommit),
  ]
}

async function checkTraits({ provider }: Subject): Promise<void> {
  const { name, alternatives = 1, maxResends = 1 } = provider
  check(typeof name === 'string' && name !== '', '`name` must be a text that is not empty.')
  check(
    Number.isSafeInteger(alternatives) && alternatives >= 1,
    '`alternatives` must be a whole number from 1.',
  )
  check([1, 2, 3, 4, 5].includes(maxResends), '`maxResends` must be a whole number from 1 to 5.')
}

async function checkHeaders({ provider, context }: Subject): Promise<void> {
  const credential = await acquire(provider, context())
  const before = requestOf(context())
  const request = await applied(credential, context())
  for (const name of new Set([...before.headers.keys(), ...request.headers.keys()])) {
    const isUntouched = request.headers.get(name) === before.headers.get(name)
    check(isUntouched || !isTransportHeader(name), `\`apply\` must leave the header ${name} alone.`)
  }
  equal(request.url.origin, before.url.origin, 'The origin of the request after `apply`')
}

async function checkTimes({ provider, context }: Subject): Promise<void> {
  const credential = await acquire(provider, context())
  for (const name of ['expiresAt', 'obtainedAt', 'refreshAt'] as const) {
    const moment = credential[name]
    const isMoment = moment === undefined || (typeof moment === 'number' && moment > earliestMs)
    check(isMoment, `\`${name}\` must be a number of milliseconds since the epoch.`)
  }
  const { expiresAt } = credential
  const isFuture = expiresAt === undefined || expiresAt > context().now()
  check(isFuture, '`expiresAt` must be in the future.')
}

async function checkRenewal({ provider, context }: Subject): Promise<void> {
  const previous = await acquire(provider, context())
  const again = context({ previous, reason: 'expiring', interactive: false })
  await applied(await acquire(provider, again), context())
}

async function checkConcurrency({ provider, context }: Subject): Promise<void> {
  const running = [1, 2, 3].map(() => acquire(provider, context()))
  for (const credential of await Promise.all(running)) await applied(credential, context())
}

async function checkAbort({ provider, context }: Subject): Promise<void> {
  await settles(provider.acquire(context({ signal: AbortSignal.abort(new Error('too late')) })))
  const controller = new AbortController()
  const running = provider.acquire(context({ signal: controller.signal }))
  controller.abort(new Error('no caller is waiting'))
  await settles(running)
}

async function checkSecrecy(
  { provider, context }: Subject,
  secrets: readonly string[],
): Promise<void> {
  const credential = await acquire(provider, context())
  await applied(credential, context())
  hides('the provider', provider, secrets)
  hides('the credential', credential, secrets)
}

async function checkErrors(
  { provider, context }: Subject,
  secrets: readonly string[],
): Promise<void> {
  const fetches = [
    async () => new Response(null, { status: 500 }),
    async () => new Response('{', { status: 200, headers: { 'content-type': 'application/json' } }),
    () => Promise.reject(new TypeError('fetch failed')),
  ]
  for (const fetch of fetches) {
    const error: unknown = await provider.acquire(context({ fetch })).catch((thrown) => thrown)
    if (error instanceof Error) hides('an error', error, secrets)
  }
}

async function checkRestore({ provider, context }: Subject): Promise<void> {
  const foreign: CredentialRecord = { version: 1, provider: 'another provider', data: {} }
  const taken = await provider.restore?.(foreign, context())
  check(taken === undefined, '`restore` must return `undefined` for a record of another provider.')
  const credential = await acquire(provider, context())
  const { record } = credential
  if (record === undefined) return
  check(
    provider.restore !== undefined,
    'A provider whose credentials have a record needs `restore`.',
  )
  const copy = JSON.parse(JSON.stringify(record)) as CredentialRecord
  equal(copy, record, 'The record of a credential after JSON.parse(JSON.stringify(…))')
  const restored = await provider.restore?.(copy, context())
  check(restored !== undefined, '`restore` must accept the records that the provider wrote.')
  if (restored === undefined) return
  const [first, second] = [await applied(credential, context()), await applied(restored, context())]
  equal(
    [...second.headers.keys()],
    [...first.headers.keys()],
    'The names of the headers that a restored credential sends',
  )
  const [mine, kept] = [first, second].map(({ headers }) => headers.get('Authorization'))
  check(mine === kept, 'A restored credential must send the same `Authorization`.')
  equal(restored.expiresAt, credential.expiresAt, 'The `expiresAt` of a restored credential')
}

async function checkCommit({ provider, context }: Subject): Promise<void> {
  let committing = false
  let early = false
  const commit = async () => {
    committing = true
    await new Promise((resolve) => setTimeout(resolve, 0))
    committing = false
  }
  const fetch: AcquireContext['fetch'] = (input, init) => {
    early ||= committing
    return context().fetch(input, init)
  }
  const previous = await acquire(provider, context({ commit, fetch }))
  await acquire(provider, context({ commit, fetch, previous, reason: 'rejected' }))
  check(!early, 'A provider must wait for `commit` before it sends anything.')
}

async function checkFailedCommit({ provider, context }: Subject): Promise<void> {
  let failed = false
  let sent = false
  const commit = async () => {
    failed = true
    throw new Error('the store is full')
  }
  const fetch: AcquireContext['fetch'] = (input, init) => {
    sent ||= failed
    return context().fetch(input, init)
  }
  const previous = await acquire(provider, context())
  const outcome = await provider
    .acquire(context({ commit, fetch, previous, reason: 'rejected' }))
    .then(() => 'resolved')
    .catch(() => 'rejected')
  if (!failed) return
  check(outcome === 'rejected', '`acquire` must reject when `commit` does.')
  check(!sent, 'A provider must send nothing after `commit` failed.')
}

async function acquire(provider: CredentialProvider, context: AcquireContext): Promise<Credential> {
  const credential = await provider.acquire(context)
  const isCredential = typeof credential?.apply === 'function'
  check(isCredential, '`acquire` must resolve to an object with the function `apply`.')
  return credential
}

async function applied(credential: Credential, context: AcquireContext): Promise<OutgoingRequest> {
  const request = requestOf(context)
  await credential.apply(request)
  return request
}

function requestOf({ resource, serverNow }: AcquireContext): OutgoingRequest {
  return {
    method: 'POST',
    url: new URL(resource),
    headers: new Headers({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': 'session-1',
    }),
    body: new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"ping"}'),
    streamed: false,
    attempt: 1,
    now: serverNow(),
    signal: undefined,
  }
}

async function settles(acquisition: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), settleTimeoutMs)
  })
  const done = () => true
  const isSettled = await Promise.race([acquisition.then(done, done), limit])
  clearTimeout(timer)
  check(isSettled, '`acquire` must settle soon after its signal has aborted.')
}

function hides(what: string, value: object, secrets: readonly string[]): void {
  const views = [
    String(value),
    inspect(value, { depth: 20, showHidden: true }),
    JSON.stringify(value) ?? '',
  ]
  for (const [index, secret] of secrets.entries()) {
    const forms = [secret, encodeURIComponent(secret), Buffer.from(secret).toString('base64')]
    const isShown = views.some((view) => forms.some((form) => view.includes(form)))
    // The message must not repeat it.
    check(!isShown, `${what} shows the secret with the number ${index + 1}.`)
  }
}
