/**
 * Applies the outcomes of acquisitions. This is the only module that replaces the held credential.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import { CredentialError, type LoginRequiredError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import {
  Acquisition,
  type AcquisitionHost,
  type AcquisitionRequest,
  type Outcome,
} from './acquisition.ts'
import { toCredentialError, withTenant } from './failure.ts'
import { KeepFresh } from './keep-fresh.ts'
import type { Obtained } from './obtained.ts'
import type { ManagerParts } from './parts.ts'
import { deadlines, type RenewalDeadlines } from './renewal.ts'
import { stepUpPauseMs } from './scope-ladder.ts'

/** A new credential is kept for this long, or for half of its lifetime. */
const shortestRenewalMs = 1000
/** The times of a record are not reliable when its writer's clock was further ahead than this. */
const clockToleranceMs = 300_000

/** Starts acquisitions and applies their outcomes. */
export class Outcomes implements AcquisitionHost {
  readonly #parts: ManagerParts
  readonly #keepFresh: KeepFresh | undefined
  #loginReported = false
  #resting = false
  /** A credential that was renewed during a logout: to be revoked, or kept when the logout fails. */
  #late: { readonly acquisition: Acquisition; readonly obtained: Obtained } | undefined
  /** The part of it that the logout has revoked. */
  #givenUp: object | undefined

  /** @param renew - Renews in the background. */
  constructor(parts: ManagerParts, renew: () => void) {
    this.#parts = parts
    const { keepFresh, now } = parts.options
    const onDue = () => {
      renew()
      this.#arm()
    }
    this.#keepFresh = keepFresh ? new KeepFresh(now, onDue) : undefined
  }

  /** Starts an acquisition. Neither an acquisition nor a logout may be in progress. */
  start(request: AcquisitionRequest): Acquisition {
    const { held, options, lane } = this.#parts
    if (!held.open) throw this.loggedOutError()
    const { epoch, previous, generation } = held
    const { now, acquireTimeoutMs: limitMs } = options
    const start = { epoch, generation, previous, limitMs, startedAt: now() }
    return lane.start(() => new Acquisition(request, start, this))
  }

  /** The newest credential, for a logout. */
  latest(): Credential | undefined {
    this.#givenUp = this.#late
    return this.#late?.obtained.credential ?? this.#parts.held.previous
  }

  /** Stops background renewals until {@link Outcomes.resume}. */
  suspend(): void {
    this.#keepFresh?.stop()
  }

  /** Stops background renewals until {@link Outcomes.resumeRenewals}; callers still receive credentials. */
  pauseRenewals(): void {
    this.#resting = true
    this.#keepFresh?.stop()
  }

  /** Ends {@link Outcomes.pauseRenewals}. */
  resumeRenewals(): void {
    if (!this.#resting) return
    this.#resting = false
    this.#arm()
  }

  /** Ends {@link Outcomes.suspend}, after a logout. */
  resume(gaveUp: boolean): void {
    const { held } = this.#parts
    const late = this.#late
    this.#late = undefined
    this.#loginReported = false
    held.resume()
    // A credential that arrived too late for the logout.
    if (gaveUp && late !== undefined && late !== this.#givenUp) {
      this.#parts.source.revokeInBackground(late.obtained.credential)
    }
    this.#givenUp = undefined
    if (!gaveUp && late !== undefined && held.open) this.#adopt(late.acquisition, late.obtained)
    this.#arm()
  }

  async obtain(acquisition: Acquisition): Promise<Obtained> {
    const { request, epoch, generation } = acquisition
    const { source, held, reporter } = this.#parts
    if (request.storeOnly !== true) {
      const { reason, background } = request
      reporter.emit({ type: 'acquire_start', reason, background })
      // A listener may have closed the manager, or logged out.
      acquisition.signal.throwIfAborted()
    }
    // A late result must not replace or discard a newer one.
    const isCurrent = () => epoch === held.epoch && generation === held.generation
    return source.obtain(
      acquisition,
      (rest) => {
        if (isCurrent()) held.recover(rest)
      },
      () => {
        if (isCurrent()) held.clear()
      },
    )
  }

  release(acquisition: Acquisition): void {
    const { lane, scopes } = this.#parts
    lane.release(acquisition)
    // A step-up that did not reach the provider does not count.
    if (acquisition.request.reason === 'insufficient_scope' && !acquisition.asked) scopes.undo()
    this.#arm()
  }

  settle(acquisition: Acquisition, outcome: Outcome): Credential {
    const { held } = this.#parts
    if ('error' in outcome) throw this.#failed(acquisition, outcome.error)
    const { obtained } = outcome
    // After close() its waiters still receive it; after logout() they do not.
    if (held.closed) return obtained.credential
    if (acquisition.epoch === held.epoch) return this.#adoptSafely(acquisition, obtained)
    this.discard(acquisition, obtained)
    throw this.loggedOutError()
  }

  discard(acquisition: Acquisition, obtained: Obtained): void {
    const { held, source } = this.#parts
    const { epoch, generation, committed } = acquisition
    if (obtained.source !== 'network') return
    if (held.loggedOutSince(epoch)) source.revokeInBackground(obtained.credential)
    else if (held.closed) return
    else if (!held.open) this.#late = { acquisition, obtained }
    // The grant was used, so this is the only valid credential of the login.
    else if (committed && generation === held.generation) this.#adopt(acquisition, obtained)
  }

  timeoutError({ committed }: Acquisition): CredentialError {
    const { options, provider } = this.#parts
    const { resource, acquireTimeoutMs } = options
    return this.#error(
      committed ? 'outcome_unknown' : 'timeout',
      `no credential for ${resourceLabel(resource)} within ${acquireTimeoutMs / 1000} s.`,
      provider.interactive === true
        ? 'Call `login()`, or raise `acquireTimeout` if that takes longer.'
        : 'Raise `acquireTimeout`, or check what the provider waits for.',
    )
  }

  loggedOutError(): CredentialError {
    const label = resourceLabel(this.#parts.options.resource)
    const problem = `the credential for ${label} was discarded by logout() while it was being acquired.`
    return this.#error('logged_out', problem)
  }

  /** The members of a credential may be getters of the provider, which can throw. */
  #adoptSafely(acquisition: Acquisition, obtained: Obtained): Credential {
    try {
      return this.#adopt(acquisition, obtained)
    } catch (error) {
      throw this.#failed(acquisition, error)
    }
  }

  #adopt(acquisition: Acquisition, { credential, source }: Obtained): Credential {
    const { request, startedAt } = acquisition
    const { options, held, failures, refusals, scopes, reporter } = this.#parts
    const now = options.now()
    const limits = this.#deadlines(acquisition, { credential, source }, now)
    scopes.adopted(credential.issuer)
    if (request.reason === 'insufficient_scope' && request.scope !== undefined) {
      scopes.granted(request.scope, credential.scope)
    }
    held.adopt(credential, limits, request.scope)
    refusals.adopted()
    this.#loginReported = false
    // A credential that has expired when it arrives is returned once, to its waiters.
    if (now >= limits.hardAt) failures.recordExpired(this.#expiredError())
    else failures.clear()
    this.#arm()
    reporter.emit({
      type: 'acquire_success',
      generation: held.generation,
      durationMs: now - startedAt,
      ...(limits.expiresAt === Infinity ? {} : { expiresIn: (limits.expiresAt - now) / 1000 }),
      source,
    })
    return credential
  }

  #deadlines(
    { startedAt }: Acquisition,
    { credential, source }: Obtained,
    now: number,
  ): RenewalDeadlines {
    const { windows, random } = this.#parts.options
    const { obtainedAt: stated = Number.NaN, expiresAt, refreshAt: advice } = credential
    const isAhead = stated > now + clockToleranceMs
    const obtainedAt = Number.isFinite(stated) && !isAhead ? stated : startedAt
    const limits = deadlines({ obtainedAt, expiresAt, advice }, windows, random())
    if (source !== 'network') {
      // Another process wrote it by a different clock, so its expiry is not known.
      return isAhead ? { ...limits, refreshAt: now } : limits
    }
    // A new credential is not renewed immediately, which could repeat without end.
    const soonest = now + Math.min(shortestRenewalMs, Math.max(0, limits.hardAt - now) / 2)
    return { ...limits, refreshAt: Math.max(limits.refreshAt, soonest) }
  }

  #failed(acquisition: Acquisition, thrown: unknown): CredentialError {
    const { request, committed, epoch, generation } = acquisition
    const { provider, options, tenant, held, failures, scopes, reporter } = this.#parts
    const { name, interactive = false } = provider
    const known = toCredentialError(thrown, name, options.resource, committed)
    const error = withTenant(known, tenant)
    const isOutdated = epoch !== held.epoch || generation !== held.generation
    if (request.storeOnly === true || isOutdated) return error
    const usableFor = held.usableFor(options.now())
    const isLogin = error.code === 'login_required'
    // Another process has logged out, so the provider was not called, and a login is required.
    const isEnded = isLogin && !acquisition.asked
    const isStepUp = request.reason === 'insufficient_scope' && !isEnded
    let attempt = 1
    // A failure of the store does not count against the scopes.
    const isRefused = !error.retryable && error.code !== 'store'
    let waitMs = isRefused ? stepUpPauseMs : 0
    // A failed step-up does not affect the credential in use.
    if (!isStepUp) {
      const unattended = isLogin && request.background && interactive && !isEnded
      ;({ attempt, waitMs } = failures.record(error, { usableFor, unattended }))
      this.#arm()
    } else if (isRefused) scopes.refused(request.scope ?? '')
    const reportLogin = isLogin && !isStepUp && !this.#loginReported
    if (reportLogin) this.#loginReported = true
    const { code, retryable } = error
    const retryIn = waitMs / 1000
    const stillValidFor = usableFor / 1000
    reporter.emit({ type: 'acquire_failure', code, retryable, attempt, retryIn, stillValidFor })
    if (reportLogin) {
      reporter.emit({ type: 'login_required', reason: (error as LoginRequiredError).reason })
    }
    return error
  }

  #expiredError(): CredentialError {
    const label = resourceLabel(this.#parts.options.resource)
    const remedy =
      "Check this machine's clock against the issuer's, and the lifetime of the issuer's tokens."
    const problem = `the credential for ${label} had expired when it arrived.`
    return this.#error('invalid_response', problem, remedy)
  }

  #error(code: string, problem: string, remedy?: string): CredentialError {
    const { provider, options, tenant } = this.#parts
    return new CredentialError(code, `${provider.name}: ${problem}`, {
      retryable: true,
      tenant,
      resource: options.resource,
      provider: provider.name,
      ...(remedy === undefined ? {} : { remedy }),
    })
  }

  #arm(): void {
    const { held, lane, options, failures } = this.#parts
    if (
      this.#keepFresh === undefined ||
      this.#resting ||
      !held.open ||
      held.credential === undefined
    )
      return
    // The end of the running acquisition sets the timer.
    if (lane.running !== undefined) return
    this.#keepFresh.arm(Math.max(held.deadlines.refreshAt, options.now() + failures.pauseMs))
  }
}
