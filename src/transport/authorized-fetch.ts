/**
 * A `fetch` that authenticates: the seam that every transport of both official SDKs shares.
 *
 * @module
 */
import type { Challenge, Credential, CredentialProvider, FetchLike } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError, resourceLabel } from '../errors.ts'
import { isObserved } from '../manager/diagnostics.ts'
import { managerOptions, TokenManager, type TokenManagerOptions } from '../manager/token-manager.ts'
import { parseRetryAfter } from '../retry-after.ts'
import { isTransportHeader } from '../transport-headers.ts'
import { heed, pause } from '../waiting.ts'
import { parseChallenges } from '../www-authenticate.ts'
import { checkTransportSecurity, isServerRequest } from './origin.ts'
import { Content, Outgoing } from './outgoing.ts'
import { patiently } from './patience.ts'
import {
  type ResolvedRetryPolicy,
  type RetryPolicy,
  resolveRetryPolicy,
  retryDelay,
} from './retry.ts'

/** How {@link authorizedFetch} works; the rest is for its {@link TokenManager}. */
export interface AuthorizedFetchOptions extends Omit<TokenManagerOptions, 'resource'> {
  /** The MCP server that the credential is bound to. Default: the URL of the first request. */
  readonly resource?: string | URL
  /** When and how often a request is sent again. Default: once, after a 401. */
  readonly retry?: RetryPolicy
  /** Allow plain `http:` to other machines. The credential can then be read on the way. Default `false`. */
  readonly allowInsecure?: boolean
}

/** A `fetch` that authenticates, and the manager behind it. */
export interface AuthorizedFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /**
   * Keeps the credential. Without the option `resource` there is none before the first request, and
   * reading it throws a {@link ConfigurationError}.
   */
  readonly manager: TokenManager
}

const maxRedirects = 5
/** Stands in for the server while only the options are checked. */
const unbound = 'https://localhost'
/** A server that names new scopes again and again shall not keep a request going. */
const maxStepUps = 2
const maxDrain = 65_536
const maxDrainMs = 2000
const maxPassed = 100

/**
 * Makes a `fetch` that puts a credential on every request to one origin, and heals a 401 once.
 *
 * - The credential goes to the bound origin and nowhere else; requests to other origins, and those to
 *   an authorization server on the same origin, pass through without it.
 * - After a 401 the credential is renewed and the request sent once more, byte for byte. Streams are
 *   sent once and not retried. Whatever comes then is the caller's, untouched.
 * - Redirects are followed within the origin, where method and body stay as they are.
 *
 * @example
 * ```ts
 * import { authorizedFetch, bearer, env } from 'mcp-credentials'
 *
 * const fetch = authorizedFetch(bearer(env('MCP_TOKEN')), { resource: 'https://mcp.example.com/mcp' })
 * const response = await fetch('https://mcp.example.com/mcp', { method: 'POST', body: '{}' })
 * ```
 *
 * @throws {@link ConfigurationError} when an option is wrong. The returned function throws
 * {@link CredentialError} when there is no credential, and otherwise whatever `fetch` throws.
 */
export function authorizedFetch(
  provider: CredentialProvider,
  options: AuthorizedFetchOptions = {},
): AuthorizedFetch {
  checkOptions(provider, options)
  const allowInsecure = options.allowInsecure ?? false
  const send: FetchLike = options.fetch ?? ((input, init) => fetch(input, init))
  const now = options.now ?? Date.now
  const senders = new WeakMap<CredentialProvider, Sender>()
  let resource: URL | undefined

  const senderOf = (
    { provider: chosen, key }: { readonly key?: string; readonly provider: CredentialProvider },
    bound: URL | string,
  ): Sender => {
    const known = senders.get(chosen)
    if (known !== undefined) return known
    const retry = resolveRetryPolicy(options.retry ?? {}, Math.max(1, chosen?.alternatives ?? 1))
    // Tenants share a store, but never a record.
    const account = [options.account ?? 'default', ...(key === undefined ? [] : [tenantLabel(key)])]
    const manager = new TokenManager(chosen, {
      ...options,
      account: account.join(' / '),
      resource: bound,
      fetch: send,
    })
    if (bound !== unbound) checkTransportSecurity(manager.resource, allowInsecure)
    const sender = new Sender(manager, retry, send, now, options.onEvent !== undefined)
    if (bound !== unbound) senders.set(chosen, sender)
    return sender
  }
  const { select: selectOf } = provider as {
    select?: () => { readonly key: string; readonly provider: CredentialProvider }
  }
  const chosen = () => selectOf?.() ?? { provider }
  // Mistakes show here and not at the first request.
  const { manager } = senderOf({ provider }, options.resource ?? unbound)
  if (options.resource !== undefined) resource = manager.resource

  const selected = async (call: Call, select: typeof chosen, bound: URL): Promise<Response> => {
    try {
      return await senderOf(select(), bound).request(call)
    } catch (error) {
      // An event source would reconnect for ever; see Sender.request.
      if (isEventSourceRequest(call.init) && isCredentialError(error, 'no_tenant')) {
        return new Response(null, { status: 401 })
      }
      throw error
    }
  }
  const passed = new Set<string>()
  const notePassing = (target: string, bound: URL) => {
    if (passed.has(target) || passed.size >= maxPassed) return
    passed.add(target)
    senderOf({ provider }, bound).manager.emit({ type: 'passed_through', target })
  }
  let sender: Sender | undefined
  const authorized = async (input: string | URL | Request, init?: RequestInit) => {
    // Whose request it is, and what it holds, counts now and not when the credential is there.
    const select = selectOf === undefined ? chosen : remembered(chosen)
    const call = await normalize(input, init)
    const asItIs = () => send(call.url, { ...call.init, headers: call.headers })
    if (!isServerRequest(call.url, call.headers, call.init.body)) return asItIs()
    if (resource === undefined) {
      const first = new URL(call.url)
      checkTransportSecurity(first, allowInsecure)
      resource = first
    }
    if (call.url.origin !== resource.origin) {
      notePassing(call.url.origin, resource)
      return asItIs()
    }
    if (selectOf !== undefined) return selected(call, select, resource)
    sender ??= senderOf({ provider }, resource)
    return sender.request(call)
  }
  return Object.defineProperty(authorized, 'manager', {
    get: () => {
      if (resource !== undefined) return senderOf(chosen(), resource).manager
      throw new ConfigurationError(
        'resource',
        'The credential is not bound to a server yet; pass `resource: url` to use the manager before the first request.',
      )
    },
  }) as unknown as AuthorizedFetch
}

interface Call {
  readonly url: URL
  readonly headers: Headers
  readonly init: RequestInit
}

/** What a response means for the credential. */
interface Verdict {
  readonly status: number
  readonly refused: boolean
  /** A renewed credential, or a corrected time, may do better. */
  readonly worthwhile: boolean
  readonly challenges: readonly Challenge[]
}

class Sender {
  readonly manager: TokenManager
  readonly #policy: ResolvedRetryPolicy
  readonly #send: FetchLike
  readonly #now: () => number
  readonly #observed: boolean
  #streamOpened = false

  constructor(
    manager: TokenManager,
    policy: ResolvedRetryPolicy,
    send: FetchLike,
    now: () => number,
    observed: boolean,
  ) {
    this.manager = manager
    this.#policy = policy
    this.#send = send
    this.#now = now
    this.#observed = observed
  }

  async request(call: Call): Promise<Response> {
    const isEventSource = isEventSourceRequest(call.init)
    try {
      const response = await this.#withRetries(call)
      if (isEventSource && response.ok) this.#streamOpened = true
      return response
    } catch (error) {
      if (!isEventSource || !isCredentialError(error)) throw error
      // An event source reconnects for ever when its fetch throws, even after connect() has failed,
      // and stops for good on a 401. Only a passing failure of a stream that worked is left to it.
      if (this.#streamOpened && error.retryable) throw error
      return new Response(null, { status: 401 })
    }
  }

  async #withRetries(call: Call): Promise<Response> {
    const signal = call.init.signal ?? undefined
    const content = new Content(call.init.body)
    let retries = 0
    let stepUps = 0
    let observed = false
    const isFirst = this.manager.wantsChallenge && content.replayable
    if (isFirst && !(await heed(this.manager.restored(), signal))) {
      const open = await this.#withoutCredential(call)
      if (open !== undefined) return open
    }
    for (let attempt = 1; ; attempt += 1) {
      const credential = this.manager.current() ?? (await this.#credential(signal))
      const offset = this.manager.clockOffset
      const sentAt = this.#now()
      const [response, request] = await this.#follow(call, content, credential, attempt)

      // A credential that learnt something, such as a nonce, has one more try of its own.
      const learnt = (await credential.observe?.(response, request)) === 'resend'
      if (learnt && !content.replayable) return response
      if (learnt && !observed) {
        observed = true
        drain(response)
        continue
      }
      const verdict = this.#judge(response, credential, offset, sentAt)
      if (response.status < 400) return response

      // What refuses the request is not read further when the renewal fails.
      const letGo = (error: unknown): never => {
        drain(response)
        throw error
      }
      const steppedUp =
        content.replayable &&
        stepUps < maxStepUps &&
        (await this.#stepUp(verdict, credential, signal).catch(letGo))
      const wait = steppedUp ? 0 : this.#retryIn(response, retries, verdict.worthwhile)
      if (wait === undefined || !content.replayable) {
        this.#report(verdict, request, attempt)
        return response
      }
      if (steppedUp) stepUps += 1
      else retries += 1
      // The renewal comes first: when it fails, its error says more than the 401.
      if (verdict.worthwhile) await this.#credential(signal).catch(letGo)
      drain(response)
      const { status } = response
      this.manager.emit({ type: 'request_retry', status, attempt: attempt + 1, delayMs: wait })
      await pause(wait, signal)
    }
  }

  /**
   * Sends a request as it is when the provider has yet to learn what the server wants (MCP 2026-07-28,
   * Authorization Server Discovery); `undefined`: it wants a credential.
   */
  async #withoutCredential(call: Call): Promise<Response | undefined> {
    const redirect = call.init.redirect === 'error' ? 'error' : 'manual'
    const { url, headers, init } = call
    const response = await this.#send(url, { ...init, headers, redirect })
    const moved = response.status >= 300 && response.status < 400 && init.redirect !== 'manual'
    if (response.status !== 401 && !moved) return response
    this.manager.challenged(parseChallenges(response.headers.get('WWW-Authenticate')))
    drain(response)
    return undefined
  }

  /** Tells the manager what the server thinks of the credential. */
  #judge(response: Response, credential: Credential, offset: number, sentAt: number): Verdict {
    const { status, headers } = response
    const refused = status === 401 || (status === 403 && this.#policy.statusCodes.has(403))
    if (!refused) this.manager.accepted(credential)
    if (!refused && status !== 403) return { status, refused, worthwhile: false, challenges: [] }
    const challenges = parseChallenges(headers.get('WWW-Authenticate'))
    const receivedAt = this.#now()
    const reading = { date: headers.get('Date'), age: headers.get('Age'), sentAt, receivedAt }
    const corrected = this.manager.observeClock(reading, offset)
    const renewable = refused && this.manager.invalidate(credential, { challenges, status })
    return { status, refused, worthwhile: renewable || (refused && corrected), challenges }
  }

  /** Asks for the scopes that a 403 names (RFC 6750 section 3.1; RFC 9449 for DPoP). */
  async #stepUp(
    { status, challenges }: Verdict,
    credential: Credential,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    if (status !== 403) return false
    const challenge = challenges.find(
      ({ scheme, parameters }) =>
        (scheme === 'bearer' || scheme === 'dpop') &&
        parameters.get('error') === 'insufficient_scope',
    )
    const scope = challenge?.parameters.get('scope')
    if (scope === undefined) return false
    const renewed = await patiently(this.manager, signal, (waiting) =>
      this.manager.stepUp(credential, scope, { challenges, signal: waiting }),
    )
    return renewed !== undefined
  }

  #credential(signal: AbortSignal | undefined): Promise<Credential> {
    return patiently(this.manager, signal, (waiting) =>
      this.manager.credential({ signal: waiting }),
    )
  }

  #report({ status, refused }: Verdict, { method }: Outgoing, attempts: number): void {
    if (refused) this.manager.emit({ type: 'request_rejected', status, method, attempts })
  }

  /** Milliseconds until the request is sent again; `undefined`: it is not. */
  #retryIn(response: Response, retries: number, worthwhile: boolean): number | undefined {
    const policy = this.#policy
    const { status } = response
    if (retries >= policy.maxRetries || !policy.statusCodes.has(status)) return undefined
    const isAuthentication = status === 401 || status === 403
    if (isAuthentication && !worthwhile && !policy.explicit) return undefined
    const retryAfter = parseRetryAfter(response.headers.get('Retry-After'), this.#now())
    return retryDelay(policy, retries + 1, worthwhile, retryAfter)
  }

  /** Sends the request, and again to wherever the server moved it within its own origin. */
  async #follow(
    call: Call,
    content: Content,
    credential: Credential,
    attempt: number,
  ): Promise<[Response, Outgoing]> {
    const { init } = call
    const method = init.method?.toUpperCase() ?? 'GET'
    const redirect = init.redirect === 'error' ? 'error' : 'manual'
    let target = call.url
    for (let hops = 0; ; hops += 1) {
      const headers = new Headers(call.headers)
      const now = this.#now() + this.manager.clockOffset
      const request = new Outgoing(
        method,
        target,
        headers,
        content,
        attempt,
        now,
        init.signal ?? undefined,
      )
      await this.#apply(credential, request, call)
      const sent = { ...init, method, headers, redirect } as const
      const response = await this.#send(request.destination, sent)
      // A caller that asked for manual redirects follows them itself, by calling again.
      if (init.redirect === 'manual') return [response, request]
      const next = this.#nextHop(response, target, method, content, hops)
      if (next === undefined || !isServerRequest(next, headers, init.body)) {
        return [response, request]
      }
      drain(response)
      target = next
    }
  }

  async #apply(credential: Credential, request: Outgoing, call: Call): Promise<void> {
    const { headers: before } = call
    const { signal } = call.init
    try {
      const pending = credential.apply(request)
      if (pending !== undefined) await heed(pending, signal)
    } catch (error) {
      if (isCredentialError(error) || signal?.aborted === true) throw error
      // The message of a failed Headers.set quotes the value, so it goes no further.
      const name = error instanceof Error ? error.name : typeof error
      throw new CredentialError(
        'invalid_credential',
        `${this.manager.provider}: the credential could not be put on the request (${name}).`,
        {
          resource: this.manager.resource,
          provider: this.manager.provider,
          remedy: 'Check that header names and values contain only characters that HTTP allows.',
        },
      )
    }
    for (const [name, value] of request.headers) {
      if (!isTransportHeader(name) || before.get(name) === value) continue
      throw new CredentialError(
        'invalid_credential',
        `${this.manager.provider}: the credential set the header ${name}, which belongs to the transport.`,
        { resource: this.manager.resource, provider: this.manager.provider },
      )
    }
    const { origin } = this.manager.resource
    if (request.destination.origin !== origin) {
      throw new CredentialError(
        'wrong_origin',
        `${this.manager.provider}: the credential tried to send the request to another origin than ${origin}.`,
        { resource: this.manager.resource, provider: this.manager.provider },
      )
    }
    if (!this.#observed && !isObserved()) return
    before.forEach((value, header) => {
      if (request.headers.get(header) !== value)
        this.manager.emit({ type: 'header_replaced', header })
    })
  }

  #nextHop(
    response: Response,
    from: URL,
    method: string,
    content: Content,
    hops: number,
  ): URL | undefined {
    const { status } = response
    const location = response.headers.get('Location')
    if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined
    const target = URL.canParse(location, from) ? new URL(location, from) : undefined
    const isGet = method === 'GET' || method === 'HEAD'
    // 301, 302 and 303 would turn a POST into a GET without its body (RFC 9110 section 15.4).
    const keepsRequest = isGet || ((status === 307 || status === 308) && content.replayable)
    if (target?.origin === from.origin && keepsRequest && hops < maxRedirects) {
      target.username = ''
      target.password = ''
      return target
    }
    const label = target === undefined ? '<invalid URL>' : resourceLabel(target)
    this.manager.emit({ type: 'redirect_refused', status, target: label })
    return undefined
  }
}

/** A tenant's key as part of a record's name; it may hold anything. */
function tenantLabel(key: string): string {
  return encodeURIComponent(key)
}

/** The way the SSE transports open their stream, through an event source. */
function isEventSourceRequest(init: RequestInit): boolean {
  return init.cache === 'no-store' && init.mode === 'cors' && (init.method ?? 'GET') === 'GET'
}

/** Calls a function now, and gives its outcome later. */
function remembered<T>(read: () => T): () => T {
  try {
    const value = read()
    return () => value
  } catch (error) {
    return () => {
      throw error
    }
  }
}

/** A body that its owner cannot change any more. */
function copyOf(body: RequestInit['body']): RequestInit['body'] {
  if (body instanceof ArrayBuffer) return body.slice(0)
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice()
  }
  return body instanceof URLSearchParams ? new URLSearchParams(body) : body
}

/** Options without the members that are undefined: those replace nothing of a `Request`. */
function defined(init: RequestInit): RequestInit {
  return Object.fromEntries(Object.entries(init).filter(([, value]) => value !== undefined))
}

/** What is to be sent, as it was when it was asked for: its owner may change it while we wait. */
async function normalize(input: string | URL | Request, given: RequestInit = {}): Promise<Call> {
  const isRequest = typeof input !== 'string' && !(input instanceof URL)
  const init: RequestInit = isRequest ? defined(given) : { ...given }
  if (typeof init.body === 'object') init.body = copyOf(init.body) ?? null
  if (!isRequest) return { url: new URL(input), headers: new Headers(init.headers), init }
  const headers = new Headers(init.headers ?? input.headers)
  const { method, signal, redirect, cache, mode, credentials, integrity, keepalive } = input
  const base = { method, signal, redirect, cache, mode, credentials, integrity, keepalive }
  const call = { url: new URL(input.url), headers }
  if (init.body !== undefined || input.body === null) return { ...call, init: { ...base, ...init } }
  // Read here, so that it can be signed and sent a second time.
  const body = await heed(input.arrayBuffer(), init.signal ?? signal)
  return { ...call, init: { ...base, body, ...init } }
}

// Read to the end so that the connection can be used again; a long body costs more than a connection.
function drain(response: Response): void {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  // Whoever drips would hold the connection for ever.
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), maxDrainMs)
  ;(timer as { unref?(): void }).unref?.()
  const pump = async () => {
    for (let size = 0; size < maxDrain; ) {
      const { done, value } = await reader.read()
      if (done) return
      size += value.byteLength
    }
    await reader.cancel()
  }
  pump()
    .catch(() => {})
    .finally(() => clearTimeout(timer))
}

const known: readonly (keyof AuthorizedFetchOptions)[] = [
  'retry',
  'allowInsecure',
  ...managerOptions,
]

function checkOptions(provider: CredentialProvider, options: AuthorizedFetchOptions): void {
  if (typeof provider?.acquire !== 'function') {
    throw new ConfigurationError(
      'provider',
      "The first argument must be a provider, such as apiKey({ value: env('MCP_API_KEY') }).",
    )
  }
  if (typeof options !== 'object' || options instanceof URL) {
    throw new ConfigurationError('options', 'Pass options as an object, such as { resource: url }.')
  }
  for (const key of Object.keys(options)) {
    if ((known as readonly string[]).includes(key)) continue
    throw new ConfigurationError(
      key,
      `There is no option \`${key}\`; the options are ${known.join(', ')}.`,
    )
  }
}
