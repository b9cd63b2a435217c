/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Keeps one provider's credential for one resource fresh.
 *
 * @module
 */
import type { Credential, CredentialProvider } from '../credential.ts'
import { type CredentialError, StoreError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { abortable, within, withTimeLimit } from '../waiting.ts'
import { toCredentialError } from './failure.ts'
import { type Flight, startFlight } from './flight.ts'
import { Lifecycle } from './lifecycle.ts'
import { resolveOptions, type TokenManagerOptions } from './options.ts'
import { createParts, type ManagerParts } from './parts.ts'
import type { TransportPort } from './transport-port.ts'
import { TransportSide } from './transport-side.ts'

/**
 * The result of a logout.
 *
 * @group Token manager
 */
export interface LogoutResult {
  /** Whether its issuer revoked it. If not, a copy of it works until it expires. */
  readonly revoked: boolean
  /** Why it was not revoked, without any text from a server; absent when it was. */
  readonly reason?: string
  /** Whether a registration of the client was dropped; only after {@link LogoutOptions.registration}. */
  readonly registrationDropped?: boolean
}

/**
 * The options of a logout.
 *
 * @group Token manager
 */
export interface LogoutOptions {
  /**
   * Whether to also delete the client's registration, so that the next login registers again: for a server
   * that no longer knows the client. Where the server supports it, the registration is deleted there too (RFC
   * 7592). All logins with the same store and authorization server share it and may end at their next
   * renewal, so do not use this to log out one of many users. Default `false`.
   */
  readonly registration?: boolean
}

/** How long the response to a sent grant is awaited, in milliseconds. */
const graceMs = 5000
/** How long a logout may take, in milliseconds. */
const logoutLimitMs = 45_000

/** The interface of a manager for the transport layer only. */
export let transportPortOf: (manager: TokenManager) => TransportPort
/** Makes the manager of one tenant; its records are separate from those of every other tenant. */
export let managerOfTenant: (
  provider: CredentialProvider,
  options: TokenManagerOptions,
  tenant: string | undefined,
) => TokenManager

/**
 * Returns a fresh credential to all callers: it is cached while it is valid, renewed in the background before
 * it expires, and acquired once for any number of waiting callers.
 *
 * There is no timer unless `renewal.keepFresh` is set: all deadlines are compared at each call.
 *
 * @example
 * ```ts
 * import { bearer, env, TokenManager } from 'mcp-credentials'
 *
 * const manager = new TokenManager(bearer(env('MCP_TOKEN')), { resource: 'https://mcp.example.com/mcp' })
 * const credential = await manager.credential({ signal: AbortSignal.timeout(5000) })
 * ```
 * @group Token manager
 */
export class TokenManager {
  /** The MCP server that the credential is for, without query and fragment. */
  readonly resource: URL
  readonly #now: () => number
  readonly #parts: ManagerParts
  readonly #lifecycle: Lifecycle
  readonly #transport: TransportPort
  #loggingOut: Flight<LogoutResult> | undefined
  /** Whether a caller of the running logout also requested to drop the registration. */
  #dropsRegistration = false
  #closing: Flight<void> | undefined

  static {
    transportPortOf = (manager) => manager.#transport
    managerOfTenant = (provider, options, tenant) =>
      new (
        TokenManager as new (
          ...args: readonly [CredentialProvider, TokenManagerOptions, string | undefined]
        ) => TokenManager
      )(provider, options, tenant)
  }

  /**
   * @throws {@link ConfigurationError} when an option is out of range, or the resource is not an http(s) URL
   * or contains user information.
   */
  constructor(provider: CredentialProvider, options: TokenManagerOptions)
  constructor(provider: CredentialProvider, options: TokenManagerOptions, tenant?: string) {
    const parts = createParts(provider, resolveOptions(provider, options), tenant)
    this.resource = parts.options.resource
    this.#now = parts.options.now
    this.#parts = parts
    this.#lifecycle = new Lifecycle(parts)
    this.#transport = new TransportSide(parts, this.#lifecycle)
  }

  /** The current credential while it is fresh, without waiting; otherwise `undefined`. */
  current(): Credential | undefined {
    const { held } = this.#parts
    return this.#now() < held.freshUntil ? held.credential : undefined
  }

  /**
   * Returns a credential, and acquires or renews it where that is due.
   *
   * @param options.signal - Rejects only this caller, with the signal's reason. A shared acquisition
   * continues for the others.
   * @throws {@link CredentialError} when there is none; {@link LoginRequiredError} when the user must log in.
   */
  credential(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential> {
    const signal = options?.signal
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    const { held } = this.#parts
    if (this.#now() < held.freshUntil) return held.ready as Promise<Credential>
    return this.#lifecycle.credential(signal)
  }

  /**
   * Returns a credential as {@link TokenManager.credential} does, but also after the user has declined a
   * login, and during the pause after failures. Await it before `connect()`: requests of the SDKs time out
   * after a minute, and a login may take longer.
   *
   * @throws As {@link TokenManager.credential}.
   */
  login(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential> {
    this.#lifecycle.allowRetry()
    return this.current() === undefined
      ? this.#lifecycle.credential(options?.signal, true)
      : this.credential(options)
  }

  /**
   * Acquires a new credential although the current one has not expired, for example after permissions have
   * changed. Other callers use the current one in the meantime, and it stays when the renewal fails.
   *
   * @throws As {@link TokenManager.credential}.
   */
  renew(options?: { readonly signal?: AbortSignal | undefined }): Promise<Credential> {
    return this.#lifecycle.renew(options?.signal)
  }

  /**
   * Logs out: revokes the credential at its issuer where that is supported (RFC 7009), and discards it in any
   * case. With a store, this applies to the stored credential, even if this manager has not used it yet.
   * Acquisitions are cancelled; one that has sent a single-use grant has 5 seconds to finish. The next call
   * acquires a new credential.
   *
   * @param options.registration - Whether to also delete the client's registration, so that the next login
   * registers again. Default `false`.
   * @throws {@link ConfigurationError} when an option is unknown. {@link StoreError} when the store
   * cannot be used; nothing was discarded then. {@link CredentialError} with the code `closed`
   * after {@link TokenManager.close}.
   */
  async logout(options: LogoutOptions = {}): Promise<LogoutResult> {
    checkOptions('logout', options, ['registration'])
    if (options.registration !== true) {
      const { registrationDropped: _, ...result } = await this.#joinLogout()
      return result
    }
    this.#dropsRegistration = true
    const result = await this.#joinLogout()
    // The logout that this call joined had already passed that step.
    if (result.registrationDropped === undefined) return this.logout(options)
    // The logout has dropped the registration, for all its callers.
    this.#dropsRegistration = false
    return result
  }

  /**
   * Closes the manager: acquisitions are cancelled, but one that has sent a single-use grant has 5 seconds to
   * finish. Later calls reject with the code `closed`.
   */
  close(): Promise<void> {
    if (this.#closing === undefined || this.#closing.lost) {
      this.#closing = startFlight(2 * graceMs, () => this.#shutDown())
    }
    return this.#closing.wait(undefined, () => this.close())
  }

  /** The same as {@link TokenManager.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #joinLogout(): Promise<LogoutResult> {
    if (this.#closing !== undefined) return Promise.reject(this.#lifecycle.closing.reason)
    if (this.#loggingOut === undefined || this.#loggingOut.lost) {
      const loggingOut = startFlight(graceMs + logoutLimitMs, () => this.#logOut())
      this.#loggingOut = loggingOut
      this.#lifecycle.suspend(loggingOut)
      const finished = () => {
        if (this.#loggingOut === loggingOut) this.#loggingOut = undefined
      }
      loggingOut.result.then(finished, finished)
    }
    return this.#loggingOut.wait(undefined, () => this.#joinLogout())
  }

  async #logOut(): Promise<LogoutResult> {
    const lifecycle = this.#lifecycle
    const { source, reporter, provider } = this.#parts
    // The lifecycle is suspended first.
    await Promise.resolve()
    try {
      const reason = lifecycle.loggedOutError()
      await this.#endAcquisition(reason)
      this.#parts.lane.detach(reason)
      const given = await limited((signal) => source.giveUp(lifecycle.latest(), signal))
      const { credential, revocation } = given
      const forgets = this.#dropsRegistration
      this.#dropsRegistration = false
      const registrationDropped = forgets ? await source.forget(credential) : undefined
      lifecycle.resume(true)
      reporter.emit({ type: 'logged_out', ...revocation })
      return {
        ...revocation,
        ...(registrationDropped === undefined ? {} : { registrationDropped }),
      }
    } catch (error) {
      this.#dropsRegistration = false
      lifecycle.resume(false)
      // The error of a provider may quote a secret.
      throw toCredentialError(error, provider.name, this.resource, false)
    }
  }

  async #shutDown(): Promise<void> {
    const { lane, source, reporter } = this.#parts
    const reason = this.#lifecycle.close()
    lane.running?.cancel(reason)
    const ending = Promise.allSettled([lane.busy, this.#loggingOut?.over()])
    await within(graceMs, ending)
    lane.abort(reason)
    await within(graceMs, source.close())
    reporter.emit({ type: 'closed' })
  }

  /** Cancels the running acquisition, or waits for a limited time when it has sent a single-use grant. */
  async #endAcquisition(reason: CredentialError): Promise<void> {
    const { running } = this.#parts.lane
    if (running === undefined) return
    running.cancel(reason)
    await within(graceMs, running.ended)
  }
}

/** Completes a logout within its time limit, or rejects without discarding anything. */
async function limited<T>(giveUp: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const problem = `The store did not respond within ${logoutLimitMs / 1000} s.`
  const remedy = 'Check the store, and log out again.'
  const tooLate = () => new StoreError('delete', problem, { retryable: true, remedy })
  return withTimeLimit(
    logoutLimitMs,
    undefined,
    (signal) => abortable(giveUp(signal), signal),
    tooLate,
  )
}
