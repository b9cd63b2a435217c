/**
 * Finishes a login: the code is redeemed once, and the tokens are stored.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider, CredentialStore } from '../credential.ts'
import { CredentialError, LoginRequiredError, StoreError } from '../errors.ts'
import { toCredentialError } from '../manager/failure.ts'
import { isRefusal, type RecordOwner, recordKey } from '../manager/stored-record.ts'
import { managerOfTenant } from '../manager/token-manager.ts'
import { finishingProvider, type PendingLoginRecord } from '../oauth/pending-login.ts'
import { checkUnused, type LoginMark, markUsed, unmark } from './finished-logins.ts'
import { name, type WebLoginsOptions } from './options.ts'
import { auditCallback } from './refused-logins.ts'

/** The time limit for discovery and redemption in seconds. */
const timeLimit = 60

/** A login whose callback has arrived. */
export interface Redemption {
  readonly owner: RecordOwner
  readonly login: PendingLoginRecord
  /** The redirect URI with the query of the callback. */
  readonly callback: URL
  /** When the login expires, in milliseconds since the epoch. */
  readonly expiresAt: number
  readonly signal: AbortSignal | undefined
}

/** A login that is finished and stored. */
export interface FinishedLogin {
  /** The URL of the MCP server, without query and fragment. */
  readonly resource: URL
  /** The user, as passed to `beginLogin`; `default` if there is only a tenant. */
  readonly account: string
  /** The tenant, as passed to `beginLogin`. */
  readonly tenant: string | undefined
  /** The authorization server that logged the user in. */
  readonly issuer: string
  /** The granted scopes, separated by spaces; `undefined`: not known. */
  readonly scope: string | undefined
  /** When the access token expires, in milliseconds since the epoch; `undefined`: not known. */
  readonly accessTokenExpiresAt: number | undefined
}

/**
 * Redeems a code and stores the tokens like a renewal of the manager: with the lock of the record held, and
 * with a mark for the pending single-use grant.
 *
 * @throws {@link CredentialError}; {@link StoreError} when the tokens could not be stored.
 */
export async function redeemLogin(
  options: WebLoginsOptions,
  redemption: Redemption,
): Promise<FinishedLogin> {
  const { owner, signal } = redemption
  const { fetch, now, onEvent } = options
  const once = redeemingProvider(options, redemption)
  const store = watchedStore(options.store, recordKey(owner))
  const manager = managerOfTenant(
    once.provider,
    {
      resource: owner.resource,
      store,
      account: owner.account,
      acquireTimeout: timeLimit,
      ...(fetch === undefined ? {} : { fetch }),
      ...(now === undefined ? {} : { now }),
      ...(onEvent === undefined ? {} : { onEvent }),
    },
    owner.tenant,
  )
  try {
    const { scope, expiresAt = Infinity } = await manager.renew({ signal })
    // Closing completes or abandons pending writes.
    await manager.close()
    if (!store.hasWritten()) throw notStored(owner)
    return {
      ...owner,
      issuer: redemption.login.issuer,
      scope: scope === '' ? undefined : scope,
      accessTokenExpiresAt: Number.isFinite(expiresAt) ? expiresAt : undefined,
    }
  } catch (error) {
    throw signal?.aborted === true ? error : (once.refusal() ?? error)
  } finally {
    await manager.close()
  }
}

/** The state of a code. */
interface CodeUse {
  isSent: boolean
  /** Whether a server has responded to a request with it. */
  isAnswered: boolean
}

/** Creates a provider for one acquisition, and a function that returns its refusal. */
function redeemingProvider(
  options: WebLoginsOptions,
  { owner, login, callback, expiresAt }: Redemption,
): { readonly provider: CredentialProvider; readonly refusal: () => unknown } {
  const { now = Date.now } = options
  const finishing = finishingProvider(name, options, login, callback)
  const mark: LoginMark = { recordKey: recordKey(owner), id: login.state, expiresAt }
  let refusal: CredentialError | undefined
  const provider: CredentialProvider = {
    ...finishing,
    async acquire(context) {
      const { records, emit } = context
      await auditCallback(
        emit,
        () => login,
        () => checkUnused(records, mark),
      )
      const code: CodeUse = { isSent: false, isAnswered: false }
      const watched = watchedContext(context, code, () => markUsed(records, mark, now()))
      try {
        return await finishing.acquire(watched)
      } catch (thrown) {
        const error = toCredentialError(thrown, name, owner.resource, code.isSent)
        // A retry may fail to reach the server after it has responded to the first request.
        const isUnreached = error.code === 'network' && !code.isAnswered
        if (code.isSent && isUnreached) await unmark(records, mark, now())
        refusal = refusalOf(error, owner)
        if (refusal !== undefined) throw managerErrorFor(refusal)
        throw code.isSent && !isUnreached && error.retryable ? codeUsedError(error, owner) : error
      }
    },
  }
  return { provider, refusal: () => refusal }
}

/** The same context, which records when the code is sent and answered. */
function watchedContext(
  context: AcquireContext,
  code: CodeUse,
  markCode: () => Promise<void>,
): AcquireContext {
  return {
    ...context,
    previous: undefined,
    async commit() {
      await context.commit()
      await markCode()
      code.isSent = true
    },
    async fetch(input, init) {
      const response = await context.fetch(input, init)
      code.isAnswered ||= code.isSent
      return response
    },
  }
}

/** The error if it does not concern an already stored login, which must be kept; `undefined`: another error. */
function refusalOf(error: CredentialError, owner: RecordOwner): CredentialError | undefined {
  if (isRefusal(error)) return error
  return error.code === 'outcome_unknown' ? outcomeUnknown(owner) : undefined
}

/** The error for the manager instead, which leaves the record unchanged. */
function managerErrorFor({ code }: CredentialError): CredentialError {
  const message = `${name}: the login was not completed.`
  return code === 'login_required'
    ? new LoginRequiredError('no_credential', message)
    : new CredentialError('acquire_failed', message)
}

/** The same error for a login that cannot be finished, because its code was sent. */
function codeUsedError(
  { code, message, remedy = '', status, serverDescription }: CredentialError,
  { resource }: RecordOwner,
): CredentialError {
  const problem = message.endsWith(remedy) ? message.slice(0, message.length - remedy.length) : ''
  return new CredentialError(code, (problem || message).trimEnd(), {
    resource,
    provider: name,
    serverDescription,
    ...(status === undefined ? {} : { status }),
    remedy: 'Call beginLogin() again.',
  })
}

function outcomeUnknown({ resource }: RecordOwner): CredentialError {
  const problem =
    'the response with the tokens was lost, so it is not known whether the login succeeded.'
  return new CredentialError('outcome_unknown', `${name}: ${problem}`, {
    resource,
    provider: name,
    remedy: 'Call beginLogin() again.',
  })
}

/** The same store, which also records whether a complete record was written under a key. */
function watchedStore(
  store: CredentialStore,
  key: string,
): CredentialStore & { hasWritten(): boolean } {
  let written = false
  return {
    get: (other) => store.get(other),
    async set(other, record) {
      await store.set(other, record)
      if (other === key && record.pending === undefined) written = true
    },
    delete: (other) => store.delete(other),
    list: () => store.list(),
    lock: (other, task, signal) => store.lock(other, task, signal),
    hasWritten: () => written,
  }
}

function notStored({ resource }: RecordOwner): StoreError {
  return new StoreError(
    'set',
    `${name}: the user has logged in, but the tokens could not be stored.`,
    {
      resource,
      provider: name,
      remedy: 'Correct the store, and call beginLogin() again.',
    },
  )
}
