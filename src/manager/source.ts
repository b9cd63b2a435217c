/**
 * Acquires and revokes credentials through the store and the provider.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
  CredentialStore,
} from '../credential.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import type { Acquisition, AcquisitionRequest } from './acquisition.ts'
import type { ServerClock } from './clock.ts'
import { checkCredential, isStorable } from './credential-check.ts'
import { guardStore } from './guarded-store.ts'
import { keepAlive } from './keep-alive.ts'
import { LoginLimit } from './login-limit.ts'
import type { Obtained } from './obtained.ts'
import type { ResolvedOptions } from './options.ts'
import { Persistence } from './persistence.ts'
import type { Reporter } from './reporter.ts'
import { inTime, type Revocation, revokeCredential, unreadLogin } from './revocation.ts'
import { isUnusableRecord } from './stored-record.ts'

/** What a logout has discarded. */
export interface LogoutOutcome {
  readonly credential: Credential | undefined
  readonly revocation: Revocation
}

/** Calls the provider, after reading the store where there is one. */
export class Source {
  readonly #provider: CredentialProvider
  readonly #options: ResolvedOptions
  readonly #serverClock: ServerClock
  readonly #records: AcquireContext['records']
  readonly #persistence: Persistence | undefined
  readonly #reporter: Reporter
  readonly #tenant: string | undefined
  readonly #logins: LoginLimit

  constructor(
    provider: CredentialProvider,
    options: ResolvedOptions,
    tenant: string | undefined,
    serverClock: ServerClock,
    reporter: Reporter,
  ) {
    this.#provider = provider
    this.#options = options
    this.#serverClock = serverClock
    this.#reporter = reporter
    this.#tenant = tenant
    this.#logins = new LoginLimit(options.now)
    const { account, serverUrl, now } = options
    const store = options.store && guardStore(options.store)
    this.#records = store ?? memoryRecords()
    this.#persistence =
      store === undefined || provider.restore === undefined
        ? undefined
        : new Persistence(
            store,
            { resource: serverUrl, account, tenant },
            provider,
            now,
            (details) => reporter.emit(details),
          )
  }

  /** Whether credentials are kept in a store. */
  get stores(): boolean {
    return this.#persistence !== undefined
  }

  /** Obtains a credential.
   *
   * @param recover - Keeps what the issuer has already replaced, when the acquisition fails.
   * @param giveUp - Called when another process has logged out.
   */
  async obtain(
    acquisition: Acquisition,
    recover: (credential: Credential) => void,
    giveUp: () => void,
  ): Promise<Obtained> {
    const { request, previous, signal } = acquisition
    const contextOf = (
      before: Credential | undefined,
      commit: AcquireContext['commit'],
      salvage: AcquireContext['salvage'],
    ) => this.#context(request, before, signal, { commit, salvage })
    if (this.#persistence === undefined) {
      const context = contextOf(
        previous,
        observed(async () => acquisition.commit()),
        recover,
      )
      return { credential: await this.#acquire(acquisition, context), source: 'network' }
    }
    const nothingSent = async () => {}
    const wanted = {
      reason: request.reason,
      previous,
      signal: acquisition.unwanted,
      storeOnly: request.storeOnly === true,
      isLogin: request.isLogin === true,
      giveUp,
      discard: (credential: Credential) => this.revokeInBackground(credential),
      context: contextOf(previous, nothingSent, recover),
    }
    return this.#persistence.obtain(wanted, (before, mark, salvage) => {
      const commit = async () => {
        // From here on an abort does not cancel it, because that would leave the mark behind.
        acquisition.commit()
        await mark()
      }
      const keep = (rest: Credential) => {
        recover(rest)
        salvage(rest)
      }
      return this.#acquire(acquisition, contextOf(before, observed(commit), keep))
    })
  }

  async #acquire(acquisition: Acquisition, context: AcquireContext): Promise<Credential> {
    acquisition.ask()
    try {
      const credential = await this.#provider.acquire(context)
      try {
        checkCredential(credential, this.#provider.name, this.#options.now())
      } catch (error) {
        // The grant was used, even if the result is not valid.
        if (isStorable(credential)) context.salvage(credential)
        throw error
      }
      return credential
    } finally {
      acquisition.answer()
    }
  }

  /** Whether the store has a login, which may need a renewal; `false` when the store does not respond. */
  async hasRecord(): Promise<boolean> {
    const has = this.#persistence?.has() ?? Promise.resolve(false)
    const { acquireTimeoutMs } = this.#options
    const limited = withTimeLimit(acquireTimeoutMs, undefined, (signal) => abortable(has, signal))
    return limited.catch(() => false)
  }

  /** Whether a login has not been written yet. */
  get unsaved(): boolean {
    return this.#persistence?.unsaved === true
  }

  /** Retries writes that failed. */
  async flush(): Promise<void> {
    await this.#persistence?.flush()
  }

  /** Retries writes that failed for the last time. */
  async close(): Promise<void> {
    await this.#persistence?.close()
  }

  /**
   * Revokes the credential, and removes its record where there is a store. With a store, the stored
   * credential is revoked, unless this process has a newer one.
   *
   * @param signal - When it aborts, nothing more is discarded.
   * @returns The discarded credential, and whether the issuer revoked it.
   * @throws {@link StoreError} when the store cannot be used; nothing was discarded then.
   */
  async giveUp(own: Credential | undefined, signal: AbortSignal): Promise<LogoutOutcome> {
    this.#logins.clear()
    if (this.#persistence === undefined) {
      return { credential: own, revocation: await this.#revoke(own) }
    }
    let given: LogoutOutcome | undefined
    const context = this.#idleContext(own)
    const revoke = async (stored = own, isUnread = false) => {
      const revocation = await this.#revoke(stored)
      const isLost = isUnread && stored === undefined && !revocation.revoked
      given = { credential: stored, revocation: isLost ? this.#reportUnread() : revocation }
    }
    await this.#persistence.remove(revoke, context, signal)
    return given ?? { credential: own, revocation: await this.#revoke(undefined) }
  }

  /** Deletes what the provider stores besides the discarded credential. */
  forget(given: Credential | undefined): Promise<boolean> {
    const context = this.#idleContext(given)
    const forgotten = inTime((signal) => this.#provider.forget?.({ ...context, signal }))
    return forgotten.then(
      (hadOne) => hadOne === true,
      () => false,
    )
  }

  /** Revokes a credential that arrived after a logout. */
  revokeInBackground(credential: Credential): void {
    keepAlive(this.#revoke(credential))
  }

  #revoke(credential: Credential | undefined): Promise<Revocation> {
    return revokeCredential(this.#provider, credential, this.#idleContext(credential))
  }

  #reportUnread(): Revocation {
    const unread = unreadLogin(this.#provider)
    this.#reporter.emit({ type: 'revocation', code: 'store', ...unread })
    return unread
  }

  #idleContext(previous: Credential | undefined): AcquireContext {
    const request = {
      reason: 'forced',
      background: true,
      scope: undefined,
      challenges: [],
    } as const
    const ignore = { commit: async () => {}, salvage: () => {} }
    return this.#context(request, previous, new AbortController().signal, ignore)
  }

  #context(
    { reason, background, scope, challenges, isLogin = false }: AcquisitionRequest,
    previous: Credential | undefined,
    signal: AbortSignal,
    { commit, salvage }: Pick<AcquireContext, 'commit' | 'salvage'>,
  ): AcquireContext {
    const { resource, serverUrl, fetch, now, random } = this.#options
    const provider = this.#provider.name
    return {
      resource: new URL(resource),
      serverUrl: new URL(serverUrl),
      reason,
      scope,
      challenges,
      previous,
      interactive: !background,
      fetch,
      signal,
      commit,
      salvage,
      announceLogin: () => {
        if (!isLogin) this.#logins.begin({ provider, resource, tenant: this.#tenant, reason })
      },
      emit: (event) => this.#reporter.emit(event),
      records: isLogin ? replaceable(this.#records) : this.#records,
      now,
      serverNow: () => now() + this.#serverClock.offset,
      random,
    }
  }
}

/** Returns the same task without an unhandled rejection when the provider does not await it. */
function observed(task: () => Promise<void>): () => Promise<void> {
  return () => {
    const running = task()
    running.catch(() => {})
    return running
  }
}

/** Treats the provider's own records that cannot be used as missing, for a login. */
function replaceable(records: AcquireContext['records']): AcquireContext['records'] {
  return {
    ...records,
    get: (key) =>
      records.get(key).catch((error: unknown) => {
        if (isUnusableRecord(error)) return undefined
        throw error
      }),
  }
}

function memoryRecords(): Pick<CredentialStore, 'get' | 'set' | 'delete'> {
  const records = new Map<string, CredentialRecord>()
  return {
    get: async (key) => records.get(key),
    set: async (key, record) => void records.set(key, record),
    delete: async (key) => records.delete(key),
  }
}
