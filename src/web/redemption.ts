/**
 * The second half of a login: the code is redeemed once, and the tokens are stored.
 *
 * @module
 */
import type { CredentialProvider, CredentialStore } from '../credential.ts'
import { CredentialError, StoreError } from '../errors.ts'
import { toCredentialError } from '../manager/failure.ts'
import { isRefusal, type RecordOwner, recordKey } from '../manager/stored-record.ts'
import { managerOfTenant } from '../manager/token-manager.ts'
import { finishingProvider, type PendingLoginRecord } from '../oauth/pending-login.ts'
import { checkUnused, type LoginMark, markUsed, unmark } from './finished-logins.ts'
import { name, type WebLoginsOptions } from './options.ts'
import { auditReturn } from './refused-logins.ts'

/** Seconds for finding the server again and redeeming the code. */
const timeLimit = 60

/** A login that comes back. */
export interface Redemption {
  readonly owner: RecordOwner
  readonly login: PendingLoginRecord
  /** The redirect URI with the query that the browser brought. */
  readonly callback: URL
  /** When the login expires, in milliseconds since the epoch. */
  readonly expiresAt: number
  readonly signal: AbortSignal | undefined
}

/** A login that was finished, and is in the store. */
export interface FinishedLogin {
  /** The URL of the MCP server, without query and fragment. */
  readonly resource: URL
  /** The user, as `beginLogin` was told; `default` where there is only a tenant. */
  readonly account: string
  /** The tenant, as `beginLogin` was told. */
  readonly tenant: string | undefined
  /** The authorization server that logged the user in. */
  readonly issuer: string
  /** The scopes that were granted, separated by spaces; `undefined`: nobody said. */
  readonly scope: string | undefined
  /** When the access token expires, in milliseconds since the epoch; `undefined`: nobody said. */
  readonly accessTokenExpiresAt: number | undefined
}

/**
 * Redeems a code and stores the tokens, as a manager does that renews them: with the lock of their record
 * held, and with a note that a single-use grant is under way.
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
    // What could not be written at once is written now, or not at all.
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

/** A provider for one acquisition, and the refusal with which it ended. */
function redeemingProvider(
  options: WebLoginsOptions,
  { owner, login, callback, expiresAt }: Redemption,
): { readonly provider: CredentialProvider; readonly refusal: () => unknown } {
  const { now = Date.now } = options
  const finishing = finishingProvider(name, options, login, callback)
  const mark: LoginMark = { recordKey: recordKey(owner), id: login.state, expiresAt }
  let isSent = false
  let refusal: unknown
  const provider: CredentialProvider = {
    ...finishing,
    async acquire(context) {
      const { records, emit } = context
      await auditReturn(
        emit,
        () => login,
        () => checkUnused(records, mark),
      )
      const commit = async () => {
        await context.commit()
        await markUsed(records, mark, now())
        isSent = true
      }
      try {
        return await finishing.acquire({ ...context, previous: undefined, commit })
      } catch (thrown) {
        const error = toCredentialError(thrown, name, owner.resource, isSent)
        if (isSent && error.code === 'network') await unmark(records, mark, now())
        if (!isRefusal(error) && error.code !== 'outcome_unknown') throw error
        // It says nothing of the login that may be stored already, which must stay.
        refusal = isRefusal(error) ? error : outcomeUnknown(owner)
        throw new CredentialError('acquire_failed', `${name}: the login was not completed.`)
      }
    },
  }
  return { provider, refusal: () => refusal }
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

/** The same store, which also says whether a whole record was written under a key. */
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
  return new StoreError('set', `${name}: the user has logged in, but the tokens were not stored.`, {
    resource,
    provider: name,
    remedy: 'Correct the store, and call beginLogin() again.',
  })
}
