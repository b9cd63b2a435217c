/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Keeps one provider's credential for one resource fresh.
 *
 * @module
 */
import type {
  AcquireContext,
  AcquireReason,
  Challenge,
  Credential,
  CredentialProvider,
  CredentialRecord,
  CredentialStore,
  FetchLike,
} from '../credential.ts'
import {
  ConfigurationError,
  CredentialError,
  isCredentialError,
  type LoginRequiredError,
  resourceLabel,
} from '../errors.ts'
import type { CredentialEvent, CredentialEventDetails, CredentialEventListener } from '../events.ts'
import { scopeCovers, scopeUnion } from '../scope.ts'
import { type ClockReading, clockOffset, largestOffset, smallestOffset } from './clock.ts'
import { isObserved, publish } from './diagnostics.ts'
import { coolingError, toCredentialError } from './failure.ts'
import { Flight } from './flight.ts'
import { type Obtained, Persistence } from './persistence.ts'
import { backOff, deadlines, type RenewalDeadlines, rejectionPause } from './renewal.ts'
import type { Rejection, TransportPort } from './transport-port.ts'

/** How a {@link TokenManager} works. */
export interface TokenManagerOptions {
  /** The MCP server that the credential is for. Query and fragment do not count. */
  readonly resource: string | URL
  /** Seconds before expiry at which background renewal begins, at most. Default 300. */
  readonly earlyWindow?: number
  /** Seconds before expiry at which callers wait for a renewal, at most. Default 10. */
  readonly hardMargin?: number
  /** Share of the early window by which renewals are spread, from 0 to 1. Default 0.3. */
  readonly jitter?: number
  /** Seconds that one acquisition may take. Default 30, or 300 when a person takes part. */
  readonly acquireTimeout?: number
  /** Renew in time even while nobody asks, with one timer that keeps no process alive. */
  readonly keepFresh?: boolean
  /**
   * Where credentials rest, so that other processes and later starts share them. Default: nowhere.
   * Credentials that are no login, such as API keys, are never stored.
   */
  readonly store?: CredentialStore
  /** Tells several logins at one server apart. Default `default`. */
  readonly account?: string
  /** The `fetch` for the provider's own requests. Default: the platform's. */
  readonly fetch?: FetchLike
  /** The clock, in milliseconds since the epoch. Default: `Date.now`. */
  readonly now?: () => number
  /** A source of numbers in [0, 1), for jitter. Default: `Math.random`. */
  readonly random?: () => number
  /** Receives what happens; see {@link CredentialEvent}. */
  readonly onEvent?: CredentialEventListener
}

/** The names of the options, for the layers that hand them on. */
export const managerOptions: readonly (keyof TokenManagerOptions)[] = [
  'resource',
  'earlyWindow',
  'hardMargin',
  'jitter',
  'acquireTimeout',
  'keepFresh',
  'store',
  'account',
  'fetch',
  'now',
  'random',
  'onEvent',
]

/** What became of a credential that was given up. */
export interface LogoutResult {
  /** Whether its issuer made it void. If not, a copy of it works until it expires. */
  readonly revoked: boolean
}

/** What one acquisition is for. */
interface Order {
  readonly reason: AcquireReason
  readonly background: boolean
  readonly scope: string | undefined
  readonly challenges: readonly Challenge[]
  /** Somebody has to log in; only what another process may have stored is looked for. */
  readonly lookOnly?: true
}

interface Failure {
  readonly error: CredentialError
  readonly attempt: number
  /** Milliseconds since the epoch before which nothing is tried; `Infinity`: not before {@link TokenManager.reset}. */
  readonly notBefore: number
  /** A person can help, and has not been asked yet: it stops background renewals only. */
  readonly unattended: boolean
}

/** What nobody waits for. */
const unasked = { background: true, scope: undefined, challenges: [] } as const
const none: RenewalDeadlines = { refreshAt: -Infinity, hardAt: -Infinity, expiresAt: -Infinity }
const longestTimer = 2 ** 31 - 1
const closeGraceMs = 5000
const logoutTimeoutMs = 30_000
/** How long a scope that was not granted is not asked for again, in milliseconds. */
const stepUpPause = 600_000
const lookPauseMs = 1000
const clockTolerance = 300_000

/** The side of a manager that only the layer that sends requests may see. */
export let transportPortOf: (manager: TokenManager) => TransportPort

/**
 * Hands out one fresh credential to everyone who asks: cached while it lasts, renewed in the
 * background before it expires, acquired once however many callers wait.
 *
 * There is no timer unless `keepFresh` is set: all deadlines are compared when somebody asks.
 *
 * @example
 * ```ts
 * import { bearer, env, TokenManager } from 'mcp-credentials'
 *
 * const manager = new TokenManager(bearer(env('MCP_TOKEN')), { resource: 'https://mcp.example.com/mcp' })
 * const credential = await manager.credential({ signal: AbortSignal.timeout(5000) })
 * ```
 */
export class TokenManager {
  static {
    transportPortOf = (manager) => manager.#port()
  }
  /** The MCP server that the credential is for, without query and fragment. */
  readonly resource: URL
  readonly #provider: CredentialProvider
  readonly #label: string
  readonly #windows: { earlyWindow: number; hardMargin: number; jitter: number }
  readonly #acquireTimeout: number | undefined
  readonly #keepFresh: boolean
  readonly #fetch: FetchLike
  readonly #now: () => number
  readonly #random: () => number
  readonly #onEvent: CredentialEventListener | undefined

  #current: Credential | undefined
  #ready: Promise<Credential> | undefined
  #deadlines = none
  /** Until when the current credential is handed out without a thought; the hot path's one compare. */
  #freshUntil = -Infinity
  #generation = 0
  #rejected = false
  #flight: Flight<Credential> | undefined
  #failure: Failure | undefined
  #rejectStreak = 0
  /** The current credential was accepted at least once. */
  #taken = false
  #adoptedAt = -Infinity
  #flaps = 0
  #rejectNotBefore = -Infinity
  #challenges: readonly Challenge[] = []
  #challenged = false
  #salvaged: Credential | undefined
  readonly #records: Pick<CredentialStore, 'get' | 'set' | 'delete'>
  readonly #persistence: Persistence | undefined
  #lastLook = -Infinity
  #looking: Flight<Credential> | undefined
  #leaving: Promise<LogoutResult> | undefined
  #restoring: Promise<boolean> | undefined
  #scope: string | undefined
  #stepUp: { readonly scope: string; readonly flight: Flight<Credential> } | undefined
  readonly #stepUps = new Map<string, number>()
  #offsetMs = 0
  #loginReported = false
  #timer: ReturnType<typeof setTimeout> | undefined
  #closing: Promise<void> | undefined
  readonly #closed = new AbortController()

  /**
   * @throws {@link ConfigurationError} when an option is out of range or the resource is no
   * http(s) URL, or has user information in it.
   */
  constructor(
    provider: CredentialProvider,
    options: TokenManagerOptions,
    internal?: { readonly tenant: string },
  ) {
    checkProvider(provider)
    this.resource = canonicalResource(options.resource)
    this.#provider = provider
    this.#label = resourceLabel(this.resource)
    this.#windows = {
      earlyWindow: seconds('earlyWindow', options.earlyWindow, 300),
      hardMargin: seconds('hardMargin', options.hardMargin, 10),
      jitter: options.jitter ?? 0.3,
    }
    if (!(this.#windows.jitter >= 0 && this.#windows.jitter <= 1)) {
      throw new ConfigurationError('jitter', '`jitter` must be a number from 0 to 1.')
    }
    if (this.#windows.hardMargin >= this.#windows.earlyWindow) {
      throw new ConfigurationError(
        'hardMargin',
        '`hardMargin` must be smaller than `earlyWindow`; both are seconds before expiry.',
      )
    }
    this.#acquireTimeout =
      options.acquireTimeout === undefined
        ? undefined
        : seconds('acquireTimeout', options.acquireTimeout, 30)
    this.#keepFresh = options.keepFresh ?? false
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init))
    this.#now = options.now ?? Date.now
    this.#random = options.random ?? Math.random
    this.#onEvent = options.onEvent
    const { store, account } = options
    if (account !== undefined && (typeof account !== 'string' || !/^[^|\p{Cc}]+$/u.test(account))) {
      throw new ConfigurationError('account', '`account` must be a text without `|`.')
    }
    checkStore(store)
    this.#records = store ?? memoryRecords()
    this.#persistence =
      store === undefined || provider.restore === undefined
        ? undefined
        : new Persistence(
            store,
            recordKeyOf(this.#label, account ?? 'default', internal?.tenant),
            provider,
            this.#now,
            (details) => this.#emit(details),
          )
  }

  /** The provider's name. */
  get provider(): string {
    return this.#provider.name
  }

  /** How many different credentials the provider offers one after another, at least 1. */
  get alternatives(): number {
    return Math.max(1, this.#provider.alternatives ?? 1)
  }

  /** Whether a person may be asked, which takes longer than a request may. */
  get interactive(): boolean {
    return this.#provider.interactive === true
  }

  /** The current credential while it is fresh, without waiting; otherwise `undefined`. */
  current(): Credential | undefined {
    return this.#now() < this.#freshUntil ? this.#current : undefined
  }

  /**
   * Gets a credential, acquiring or renewing it where that is due.
   *
   * @param options.signal - Rejects this caller alone, with the signal's reason. A shared
   * acquisition goes on for the others.
   * @throws {@link CredentialError} when there is none; {@link LoginRequiredError} when only a
   * person can help.
   */
  credential(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential> {
    const signal = options?.signal
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const ready = this.#ready
    if (ready !== undefined && this.#now() < this.#freshUntil) return ready
    return this.#slow(signal)
  }

  /**
   * Gets a credential as {@link TokenManager.credential} does, but also where a person has declined before
   * or failures forbid to try. Await it before `connect()`: the SDKs give a request up after a minute, and
   * a person may take longer.
   *
   * @throws As {@link TokenManager.credential}.
   */
  login(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential> {
    this.reset()
    return this.credential(options)
  }

  /**
   * Reports that the server refused a credential.
   *
   * Only a refusal of the current credential counts; that of an older one means that a renewal has
   * already happened. A server that refuses every credential is asked for new ones ever more rarely.
   *
   * @returns Whether sending the request again makes sense: a newer credential is there, or one
   * may now be acquired.
   */
  invalidate(credential: Credential, rejection: Rejection = {}): boolean {
    const status = rejection.status ?? 401
    if (this.#closing !== undefined || this.#current === undefined) return false
    if (credential !== this.#current) {
      this.#emit({ type: 'rejected', generation: this.#generation, status, late: true })
      return true
    }
    if (this.#rejected) return true
    const now = this.#now()
    if (now < this.#rejectNotBefore) {
      const retryIn = (this.#rejectNotBefore - now) / 1000
      this.#emit({ type: 'reject_ignored', generation: this.#generation, status, retryIn })
      return false
    }
    this.#rejectStreak += 1
    // What was taken and is refused soon after may depend on the request, so renewals do not help.
    if (this.#taken) this.#flaps = now - this.#adoptedAt < 60_000 ? this.#flaps + 1 : 0
    const useless = Math.max(this.#rejectStreak - this.alternatives + 1, this.#flaps - 3)
    this.#rejectNotBefore = useless > 0 ? now + rejectionPause(useless) : now
    this.#rejected = true
    this.#freshUntil = -Infinity
    this.#challenges = rejection.challenges ?? []
    this.#emit({ type: 'rejected', generation: this.#generation, status, late: false })
    return true
  }

  /** Whether the next request should go without a credential, so that the server says what it wants. */
  get wantsChallenge(): boolean {
    return (
      this.#provider.discovers === true &&
      !this.#challenged &&
      this.#current === undefined &&
      this.#flight === undefined
    )
  }

  /** Whether the store had a credential; it is asked once, before the server is. */
  restored(): Promise<boolean> {
    this.#restoring ??= this.#restore()
    return this.#restoring
  }

  async #restore(): Promise<boolean> {
    if (this.#persistence === undefined || this.#current !== undefined) return false
    const flight = this.#launch({ ...unasked, reason: 'missing', lookOnly: true })
    return flight.result.then(
      () => true,
      () => this.#persistence?.has() ?? false,
    )
  }

  /** Takes note of what the server wants, from its answer to a request without a credential. */
  challenged(challenges: readonly Challenge[]): void {
    this.#challenged = true
    if (this.#current === undefined) this.#challenges = challenges
  }

  /** Reports that the server took a credential, which ends a streak of rejections. */
  accepted(credential: Credential): void {
    if (this.#taken || credential !== this.#current || this.#rejected) return
    this.#taken = true
    this.#rejectStreak = 0
    if (this.#flaps <= 3) this.#rejectNotBefore = -Infinity
  }

  /**
   * Asks for further scopes, after a 403 with `insufficient_scope`. The union of all scopes asked for
   * so far is requested, and the same union not again within ten minutes.
   *
   * @param credential - The one that did not suffice.
   * @param scope - The scopes that the server named, separated by spaces.
   * @returns A credential to send the request with again; `undefined` when there is none to be had.
   * @throws {@link CredentialError} when the provider fails; the current credential stays in use.
   * @see RFC 6750, section 3.1
   */
  async stepUp(
    credential: Credential,
    scope: string,
    options: {
      readonly challenges?: readonly Challenge[]
      readonly signal?: AbortSignal | undefined
    } = {},
  ): Promise<Credential | undefined> {
    if (this.#provider.scoped !== true || scope === '') return undefined
    const { signal, challenges = [] } = options
    signal?.throwIfAborted()
    if (this.#closing !== undefined) throw this.#closedError()
    // A renewal that is under way may bring what is wanted, and must not be raced.
    await this.#flight?.wait(signal).catch(() => signal?.throwIfAborted())
    const current = this.#current
    if (current !== undefined && current !== credential && scopeCovers(current.scope, scope)) {
      return current
    }
    const wanted = scopeUnion(this.#scope ?? current?.scope, scope)
    const other = this.#stepUp
    if (other?.scope === wanted) return other.flight.wait(signal)
    if (other !== undefined) {
      // One after the other, so that the second asks for what the first has got, too.
      await other.flight.wait(signal).catch(() => signal?.throwIfAborted())
      return this.stepUp(credential, scope, options)
    }
    const now = this.#now()
    if (now < (this.#stepUps.get(wanted) ?? -Infinity) + stepUpPause) return undefined
    this.#stepUps.set(wanted, now)
    const order = {
      reason: 'insufficient_scope',
      background: false,
      scope: wanted,
      challenges,
    } as const
    const flight = this.#launch(order)
    const running = { scope: wanted, flight }
    this.#stepUp = running
    const done = () => {
      if (this.#stepUp === running) this.#stepUp = undefined
    }
    flight.result.then(done, (error: unknown) => {
      done()
      // Nobody was refused anything.
      const isPassing = isCredentialError(error) && error.retryable
      if (flight.cancelled || isPassing) this.#stepUps.delete(wanted)
    })
    return flight.wait(signal)
  }

  /** The server's time less this machine's, in milliseconds; 0 while they are about the same. */
  get clockOffset(): number {
    return this.#offsetMs
  }

  /**
   * Learns the server's clock from a response that refused a credential.
   *
   * @param used - The offset that the request was made with, in milliseconds.
   * @returns Whether the request was made with a wrong time, so that sending it again makes sense.
   */
  observeClock(reading: ClockReading, used: number): boolean {
    const offset = clockOffset(reading)
    if (offset === undefined) return false
    const applied = Math.abs(offset) <= largestOffset
    const next = applied && Math.abs(offset) >= smallestOffset ? offset : 0
    if (Math.abs(next - this.#offsetMs) >= smallestOffset || !applied) {
      this.#emit({ type: 'clock_offset', offsetMs: offset, applied })
      this.#offsetMs = next
    }
    return Math.abs(this.#offsetMs - used) >= smallestOffset
  }

  /** Forgets failures and rejections, so that the next call tries anew: after a login, say. */
  reset(): void {
    this.#failure = undefined
    this.#loginReported = false
    this.#rejectStreak = 0
    this.#flaps = 0
    this.#rejectNotBefore = -Infinity
    this.#stepUps.clear()
  }

  /**
   * Gives the credential up: makes it void at its issuer where that is possible (RFC 7009), and forgets
   * it in any case. With a store it is what is stored that is given up, also where this manager has not
   * used it yet. A renewal that is under way is waited for first. The next call acquires a new one.
   *
   * @throws {@link StoreError} when the store cannot be used; nothing was given up then.
   */
  logout(): Promise<LogoutResult> {
    this.#leaving ??= this.#leave().finally(() => {
      this.#leaving = undefined
    })
    return this.#leaving
  }

  async #leave(): Promise<LogoutResult> {
    await this.#flight?.result.catch(() => {})
    await this.#stepUp?.flight.result.catch(() => {})
    // Nobody gets any more what is being given up.
    this.#freshUntil = -Infinity
    let revoked = false
    const own = this.#current ?? this.#salvaged
    const signal = AbortSignal.timeout(logoutTimeoutMs)
    const context = this.#context({ ...unasked, reason: 'forced' }, own, signal, async () => {})
    const revoke = async (stored?: Credential) => {
      const credential = stored ?? own
      if (credential === undefined) return
      const revoking = this.#provider.revoke?.(credential, { ...context, previous: credential })
      revoked = (await revoking?.catch(() => false)) ?? false
    }
    if (this.#persistence === undefined) await revoke()
    else await this.#persistence.remove(revoke, context)
    this.#current = undefined
    this.#ready = undefined
    this.#salvaged = undefined
    this.#deadlines = none
    this.#freshUntil = -Infinity
    this.#rejected = false
    this.#scope = undefined
    this.reset()
    this.#emit({ type: 'logged_out', revoked })
    return { revoked }
  }

  /**
   * Ends the manager: running acquisitions are cancelled, but one that has sent a single-use grant
   * is given up to 5 seconds to finish. Later calls reject with the code `closed`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  /** The same as {@link TokenManager.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Reports an event, on behalf of the layer that sends the requests. */
  emit(details: CredentialEventDetails): void {
    this.#emit(details)
  }

  #port(): TransportPort {
    const manager = this
    return {
      resource: this.resource,
      provider: this.provider,
      alternatives: this.alternatives,
      maxResends: Math.min(5, Math.max(1, this.#provider.maxResends ?? 1)),
      interactive: this.interactive,
      session: 0,
      closing: this.#closed.signal,
      get clockOffset() {
        return manager.clockOffset
      },
      get wantsChallenge() {
        return manager.wantsChallenge
      },
      current: () => manager.current(),
      credential: (signal) => manager.credential({ signal }),
      restored: () => manager.restored(),
      challenged: (challenges) => manager.challenged(challenges),
      refused: (response) => manager.#provider.refused?.(response) === true,
      accepted: (credential) => manager.accepted(credential),
      rejected: (credential, rejection) => manager.invalidate(credential, rejection),
      stepUp: (credential, scope, options) => manager.stepUp(credential, scope, options),
      observeClock: (reading, used) => manager.observeClock(reading, used),
      emit: (details) => manager.#emit(details),
    }
  }

  #slow(signal: AbortSignal | undefined): Promise<Credential> {
    if (this.#closing !== undefined) return Promise.reject(this.#closedError())
    if (this.#leaving !== undefined) {
      const again = () => this.credential({ signal })
      return this.#leaving.then(again, again)
    }
    const now = this.#now()
    const current = this.#current
    if (current !== undefined && this.#ready !== undefined && !this.#rejected) {
      if (now < this.#deadlines.hardAt) {
        this.#renewInBackground(now)
        return this.#ready
      }
      if (now < this.#deadlines.expiresAt) return this.#renewOrServe(current, signal, now)
    }
    const cooling = this.#cooling(now)
    if (cooling === undefined) return this.#join(this.#reason(), signal)
    const mayLook = this.#looking !== undefined || this.#mayLook(now)
    return mayLook ? this.#look(cooling, signal) : Promise.reject(cooling)
  }

  /** Another process may have logged in meanwhile; the store is asked at most once a second. */
  #mayLook(now: number): boolean {
    if (this.#persistence === undefined || this.#failure?.notBefore !== Infinity) return false
    if (now < this.#lastLook + lookPauseMs) return false
    this.#lastLook = now
    return true
  }

  async #look(refused: CredentialError, signal: AbortSignal | undefined): Promise<Credential> {
    this.#looking ??= this.#launch({ ...unasked, reason: this.#reason(), lookOnly: true })
    const flight = this.#looking
    try {
      return await flight.wait(signal)
    } catch {
      signal?.throwIfAborted()
      throw refused
    } finally {
      if (this.#looking === flight) this.#looking = undefined
    }
  }

  #renewInBackground(now: number): void {
    if (this.#flight !== undefined && !this.#flight.cancelled) return
    if (this.#failure !== undefined && now < this.#failure.notBefore) return
    this.#start('expiring', true)
  }

  async #renewOrServe(
    current: Credential,
    signal: AbortSignal | undefined,
    now: number,
  ): Promise<Credential> {
    if (this.#failure !== undefined && now < this.#failure.notBefore) return current
    try {
      return await this.#join('expiring', signal)
    } catch (error) {
      if (signal?.aborted === true) throw error
      const usable = this.#now() < this.#deadlines.expiresAt && !this.#rejected
      if (usable && this.#closing === undefined) return current
      throw error
    }
  }

  #join(reason: AcquireReason, signal: AbortSignal | undefined): Promise<Credential> {
    const running = this.#flight
    if (running === undefined || running.cancelled) return this.#start(reason, false).wait(signal)
    return running.wait(signal).catch((error: unknown) => {
      // It ran in the background, where it must not ask anybody.
      if (this.#failure?.unattended !== true || signal?.aborted === true) throw error
      return this.#join(reason, signal)
    })
  }

  #reason(): AcquireReason {
    if (this.#rejected) return 'rejected'
    return this.#current === undefined ? 'missing' : 'expiring'
  }

  #start(reason: AcquireReason, background: boolean): Flight<Credential> {
    const challenges = this.#challenges
    const flight = this.#launch({ reason, background, scope: this.#scope, challenges })
    this.#flight = flight
    return flight
  }

  #launch(order: Order): Flight<Credential> {
    const flight: Flight<Credential> = new Flight<Credential>(
      // The provider runs in a later microtask, so that the flight is in its place when it settles.
      (signal, commit) =>
        Promise.resolve().then(() => this.#acquire(order, signal, commit, () => flight)),
      order.background,
    )
    return flight
  }

  async #acquire(
    order: Order,
    signal: AbortSignal,
    commit: () => void,
    self: () => Flight<Credential>,
  ): Promise<Credential> {
    const { reason, background, scope } = order
    const started = this.#now()
    const current = this.#current
    const previous = this.#salvaged ?? current
    if (order.lookOnly !== true) this.#emit({ type: 'acquire_start', reason, background })
    let timedOut = false
    try {
      const obtained = this.#obtain(order, previous, signal, commit)
      obtained.then(
        // The grant was spent: what came too late for its waiters must not be lost.
        (late) => {
          if (timedOut && self().committed && this.#current === current) {
            this.#adopt(late, previous, started, scope)
          }
        },
        () => {},
      )
      const result = await this.#limited(obtained, signal, self, () => {
        timedOut = true
      })
      this.#adopt(result, previous, started, scope)
      return result.credential
    } catch (thrown) {
      if (signal.aborted && !timedOut && !self().committed) throw signal.reason
      const committed = self().committed
      const error = toCredentialError(thrown, this.#provider.name, this.resource, committed)
      if (order.lookOnly === true) throw error
      // A step-up that fails says nothing about the credential that is in use.
      throw reason === 'insufficient_scope'
        ? this.#reportStepUp(error)
        : this.#fail(error, background)
    } finally {
      if (this.#flight === self()) this.#flight = undefined
    }
  }

  /** Asks the provider, or first the store where there is one. */
  async #obtain(
    order: Order,
    previous: Credential | undefined,
    signal: AbortSignal,
    commit: () => void,
  ): Promise<Obtained> {
    const ask = async (context: AcquireContext) =>
      checkCredential(await this.#provider.acquire(context), this.#provider.name)
    if (this.#persistence === undefined) {
      const context = this.#context(order, previous, signal, async () => commit())
      return { credential: await ask(context), source: 'network' }
    }
    const wish = {
      reason: order.reason,
      previous,
      signal,
      lookOnly: order.lookOnly === true,
      context: this.#context(order, previous, signal, async () => {}),
    }
    return this.#persistence.obtain(wish, (before, mark, salvage) => {
      const announce = async () => {
        await mark()
        commit()
      }
      const context = this.#context(order, before, signal, announce)
      const keep = (rest: Credential) => {
        context.salvage(rest)
        salvage(rest)
      }
      return ask({ ...context, salvage: keep })
    })
  }

  #context(
    { reason, background, scope, challenges }: Order,
    previous: Credential | undefined,
    signal: AbortSignal,
    commit: () => Promise<void>,
  ): AcquireContext {
    return {
      resource: new URL(this.resource),
      reason,
      scope,
      challenges,
      previous,
      interactive: !background,
      fetch: this.#fetch,
      signal,
      commit,
      salvage: (rest) => {
        this.#salvaged = rest
      },
      records: this.#records,
      now: this.#now,
      serverNow: () => this.#now() + this.#offsetMs,
      random: this.#random,
    }
  }

  /** Waits for the provider, but no longer than allowed and not after an abort. */
  #limited(
    obtained: Promise<Obtained>,
    signal: AbortSignal,
    self: () => Flight<Credential>,
    onTimeout: () => void,
  ): Promise<Obtained> {
    const limit = this.#acquireTimeout ?? (this.#provider.interactive === true ? 300 : 30)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        onTimeout()
        const error = new CredentialError(
          self().committed ? 'outcome_unknown' : 'timeout',
          `${this.#provider.name}: no credential for ${this.#label} within ${limit} s.`,
          { retryable: true, resource: this.resource, provider: this.#provider.name },
        )
        self().abort(error)
        reject(error)
      }, limit * 1000)
      const onAbort = () => {
        if (self().committed) return
        clearTimeout(timer)
        reject(signal.reason)
      }
      // The last waiter may have left before the provider was even asked.
      if (signal.aborted) onAbort()
      signal.addEventListener('abort', onAbort, { once: true })
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
      }
      obtained.then(
        (result) => {
          done()
          resolve(result)
        },
        (error: unknown) => {
          done()
          reject(error)
        },
      )
    })
  }

  #adopt(
    { credential, source }: Obtained,
    previous: Credential | undefined,
    started: number,
    scope: string | undefined,
  ): void {
    const now = this.#now()
    if (scope !== undefined) this.#scope = scopeUnion(this.#scope, scope)
    const wasRejected = this.#rejected
    const unchanged = previous !== undefined && previous === credential
    this.#current = credential
    this.#salvaged = undefined
    this.#taken = false
    this.#adoptedAt = now
    this.#ready = Promise.resolve(credential)
    this.#rejected = false
    this.#generation += 1
    this.#challenges = []
    this.#loginReported = false
    const obtainedAt = credential.obtainedAt ?? started
    this.#deadlines = deadlines(
      obtainedAt,
      credential.expiresAt,
      credential.refreshAt,
      this.#windows,
      this.#random(),
    )
    // One of two clocks was wrong, so nobody knows when it ends.
    const isFromFuture = obtainedAt > now + clockTolerance
    if (isFromFuture) this.#deadlines = { ...this.#deadlines, refreshAt: now }
    this.#freshUntil = this.#closing === undefined ? this.#deadlines.refreshAt : -Infinity
    // A credential that is all but over when it arrives serves those who waited for it, once.
    this.#failure = now < this.#deadlines.hardAt ? undefined : this.#exhausted(now)
    this.#arm(now)
    const { expiresAt } = this.#deadlines
    this.#emit({
      type: 'acquire_success',
      generation: this.#generation,
      durationMs: now - started,
      ...(expiresAt === Infinity ? {} : { expiresIn: (expiresAt - now) / 1000 }),
      unchanged: wasRejected && unchanged,
      source,
    })
  }

  #exhausted(now: number): Failure {
    const error = new CredentialError(
      'invalid_response',
      `${this.#provider.name}: the credential for ${this.#label} had expired when it arrived.`,
      {
        retryable: true,
        resource: this.resource,
        provider: this.#provider.name,
        remedy: "Compare this machine's clock with the issuer's, and the lifetime it grants.",
      },
    )
    const attempt = (this.#failure?.attempt ?? 0) + 1
    const wait = Math.max(1000, backOff(attempt, this.#random()))
    return { error, attempt, notBefore: now + wait, unattended: false }
  }

  #fail(error: CredentialError, background: boolean): CredentialError {
    const now = this.#now()
    const attempt = (this.#failure?.attempt ?? 0) + 1
    const isLogin = error.code === 'login_required'
    const waitMs = isLogin
      ? Infinity
      : error.retryable
        ? backOff(attempt, this.#random(), error.retryAfter)
        : 60_000
    const unattended = isLogin && background && this.#provider.interactive === true
    this.#failure = { error, attempt, notBefore: now + waitMs, unattended }
    const usable = this.#current !== undefined && !this.#rejected
    const rest = usable ? this.#deadlines.expiresAt - now : 0
    this.#emit({
      type: 'acquire_failure',
      code: error.code,
      retryable: error.retryable,
      attempt,
      retryIn: waitMs / 1000,
      stillValidFor: Math.max(0, rest) / 1000,
    })
    if (isLogin && !this.#loginReported) {
      this.#loginReported = true
      this.#emit({ type: 'login_required', reason: (error as LoginRequiredError).reason })
    }
    this.#arm(now)
    return error
  }

  #reportStepUp(error: CredentialError): CredentialError {
    const { code, retryable } = error
    const stillValidFor = Math.max(0, this.#deadlines.expiresAt - this.#now()) / 1000
    const retryIn = stepUpPause / 1000
    this.#emit({ type: 'acquire_failure', code, retryable, attempt: 1, retryIn, stillValidFor })
    return error
  }

  #cooling(now: number): CredentialError | undefined {
    const failure = this.#failure
    if (failure === undefined || failure.unattended || now >= failure.notBefore) return undefined
    if (this.#flight !== undefined && !this.#flight.cancelled) return undefined
    if (failure.notBefore === Infinity) return failure.error
    const wait = failure.notBefore - now
    this.#emit({ type: 'cooldown', code: failure.error.code, retryIn: wait / 1000 })
    return coolingError(failure.error, wait)
  }

  #arm(now: number): void {
    if (!this.#keepFresh || this.#closing !== undefined) return
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    const due = Math.max(this.#deadlines.refreshAt, this.#failure?.notBefore ?? -Infinity)
    if (due === Infinity || due === -Infinity) return
    this.#timer = setTimeout(
      () => {
        const then = this.#now()
        if (then < due) this.#arm(then)
        else this.#renewInBackground(then)
      },
      Math.min(Math.max(0, due - now), longestTimer),
    )
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  async #shutDown(): Promise<void> {
    this.#closed.abort(this.#closedError())
    this.#freshUntil = -Infinity
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    const flights = [this.#flight, this.#looking, this.#stepUp?.flight].filter(
      (flight) => flight !== undefined,
    )
    if (flights.length > 0) {
      for (const flight of flights) flight.cancel(this.#closedError())
      let timer: ReturnType<typeof setTimeout> | undefined
      const grace = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, closeGraceMs)
      })
      await Promise.race([Promise.allSettled(flights.map(({ result }) => result)), grace])
      clearTimeout(timer)
    }
    await this.#persistence?.flush()
    this.#emit({ type: 'closed' })
  }

  #closedError(): CredentialError {
    return new CredentialError('closed', `The credential manager for ${this.#label} is closed.`, {
      resource: this.resource,
      provider: this.#provider.name,
      remedy: 'Make a new one, or a new transport.',
    })
  }

  #emit(details: CredentialEventDetails): void {
    const published = isObserved()
    if (this.#onEvent === undefined && !published) return
    const event: CredentialEvent = {
      ...details,
      time: this.#now(),
      resource: this.#label,
      provider: this.#provider.name,
    }
    if (published) publish(event)
    try {
      this.#onEvent?.(event)
    } catch {
      // An observer must not change what happens.
    }
  }
}

// An account has no `|` in it, and an encoded tenant neither, so no account reads the record of a tenant.
function recordKeyOf(label: string, account: string, tenant: string | undefined): string {
  const key = `${label} | ${account}`
  return tenant === undefined ? key : `${key} | ${encodeURIComponent(tenant)}`
}

function memoryRecords(): Pick<CredentialStore, 'get' | 'set' | 'delete'> {
  const records = new Map<string, CredentialRecord>()
  return {
    get: async (key) => records.get(key),
    set: async (key, record) => void records.set(key, record),
    delete: async (key) => records.delete(key),
  }
}

function checkStore(store: CredentialStore | undefined): void {
  const methods = ['get', 'set', 'delete', 'list', 'lock'] as const
  const missing = methods.find((name) => typeof store?.[name as never] !== 'function')
  if (store === undefined || missing === undefined) return
  throw new ConfigurationError(
    'store',
    `\`store\` has no function \`${missing}\`; pass what keychainStore(), encryptedFileStore(), redisStore() or memoryStore() returns.`,
  )
}

function checkProvider(provider: CredentialProvider): void {
  if (typeof provider?.acquire === 'function' && typeof provider.name === 'string') return
  throw new ConfigurationError(
    'provider',
    'The provider must be an object with `name` and `acquire`; pass what apiKey(), bearer() or custom() returns.',
  )
}

function checkCredential(credential: Credential, provider: string): Credential {
  if (typeof credential?.apply === 'function') return credential
  throw new CredentialError(
    'invalid_response',
    `${provider}: \`acquire\` resolved to something without an \`apply\` function.`,
    { provider, remedy: 'Return { apply({ headers }) { headers.set(…) } }.' },
  )
}

/** The form in which a server is known: no fragment, no query, no user information. */
function canonicalResource(resource: string | URL): URL {
  const text = String(resource)
  if (!URL.canParse(text)) {
    throw new ConfigurationError(
      'resource',
      '`resource` is not a URL; pass that of the MCP server, beginning with https://.',
    )
  }
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new ConfigurationError(
      'resource',
      '`resource` must begin with https://, or http:// on this machine.',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new ConfigurationError(
      'resource',
      '`resource` must not contain a user name or password; use basic() for them.',
    )
  }
  url.hash = ''
  url.search = ''
  return url
}

function seconds(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (Number.isFinite(value) && value > 0) return value
  throw new ConfigurationError(option, `\`${option}\` must be a positive number of seconds.`)
}
