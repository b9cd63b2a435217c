/**
 * Several credentials on each request.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  ObserveResult,
  OutgoingRequest,
  ResponseHead,
} from '../credential.ts'
import {
  acquireWhileReading,
  checkProviders,
  hasExpired,
  revokeParts,
  traitsOf,
} from './combined.ts'

/** The credential of each provider; `undefined` where it has not been acquired. */
type Parts = readonly (Credential | undefined)[]

/** The parts that were rebuilt from a record, or acquired beside one. */
const freshParts = new WeakSet<Credential>()

/**
 * Puts several credentials on each request, such as a token and a tenant header. They are applied in the
 * order given, so a signature that covers the others' headers comes last. If exactly one part is a login, a
 * store keeps it.
 *
 * @throws {@link ConfigurationError} when no provider is given.
 *
 * @example
 * ```ts
 * import { all, bearer, env, headers } from 'mcp-credentials'
 *
 * const provider = all(bearer(env('MCP_TOKEN')), headers({ 'X-Tenant-ID': 'acme' }))
 * ```
 * @group Several credentials
 */
export function all(...providers: readonly CredentialProvider[]): CredentialProvider {
  checkProviders('all', providers)
  const partsOf = new WeakMap<Credential, Parts>()
  const put = (parts: Parts, isIncomplete = false): Credential => {
    const credential = joined(
      parts.filter((part) => part !== undefined),
      isIncomplete,
    )
    partsOf.set(credential, parts)
    return credential
  }
  const partsBefore = ({ previous }: AcquireContext) =>
    previous === undefined ? undefined : partsOf.get(previous)
  return {
    ...traitsOf('all', providers),
    discovers: providers.some((provider) => provider.discovers === true),
    acquire: (context) => acquireAll(providers, partsBefore(context), context, put),
    ...restoring(providers, partsBefore, put),
    async forget(context) {
      const parts = partsBefore(context) ?? []
      const results = await Promise.all(
        providers.map((each, index) => each.forget?.({ ...context, previous: parts[index] })),
      )
      return results.includes(true)
    },
    revoke(credential, context) {
      const parts = partsOf.get(credential) ?? []
      return revokeParts(providers, (_provider, index) => parts[index], context)
    },
  }
}

/** Acquires the parts that are due, and keeps the acquired ones when another part fails. */
async function acquireAll(
  providers: readonly CredentialProvider[],
  before: Parts | undefined,
  context: AcquireContext,
  put: (parts: Parts) => Credential,
): Promise<Credential> {
  const parts: (Credential | undefined)[] = providers.map((_provider, index) => before?.[index])
  const keep = () => context.salvage(put([...parts]))
  let isCommitted = false
  const commit = () => {
    isCommitted = true
    return context.commit()
  }
  const acquire = async (provider: CredentialProvider, index: number) => {
    const previous = parts[index]
    if (previous !== undefined && !isDue(previous, context)) return
    const salvage = (rest: Credential) => {
      parts[index] = rest
      keep()
    }
    parts[index] = await provider.acquire({ ...context, previous, salvage, commit })
  }
  // Interactive parts come last: the user does not log in for a request that another part would fail.
  for (const isInteractive of [false, true]) {
    const round = providers.map(async (provider, index) => {
      if ((provider.interactive === true) === isInteractive) await acquire(provider, index)
    })
    const results = await Promise.allSettled(round)
    const failure = results.find((result) => result.status === 'rejected')
    if (failure === undefined) continue
    // An acquired part may have consumed a refresh token, and must not be lost because another part failed.
    const isSpared = parts.some(
      (part, index) => part?.record !== undefined && results[index]?.status === 'fulfilled',
    )
    const isNew = parts.some((part, index) => part !== before?.[index])
    if (isNew || (isCommitted && isSpared)) keep()
    throw failure.reason
  }
  return put(parts)
}

/**
 * Rebuilds the one part that a store can keep. The other parts are those that the manager holds, or are
 * acquired where that needs no single-use grant. Without all parts the result is incomplete: it can be
 * renewed and revoked, and the next acquisition acquires the missing parts.
 */
function restoring(
  providers: readonly CredentialProvider[],
  partsBefore: (context: AcquireContext) => Parts | undefined,
  put: (parts: Parts, isIncomplete: boolean) => Credential,
): Pick<CredentialProvider, 'restore'> {
  const [keeper, second] = providers.filter(({ restore }) => restore !== undefined)
  if (keeper === undefined || second !== undefined) return {}
  // One acquisition reads its record several times.
  const othersOf = new WeakMap<AcquireContext, Promise<Parts>>()
  return {
    async restore(record, context) {
      const kept = await keeper.restore?.(record, context)
      if (kept === undefined) return undefined
      freshParts.add(kept)
      const before = partsBefore(context)
      const isFirst = context.reason === 'missing' && !hasExpired(record, context)
      const acquiring = isFirst
        ? (othersOf.get(context) ?? acquireOthers(providers, keeper, before, context))
        : undefined
      if (acquiring !== undefined) othersOf.set(context, acquiring)
      const others = (await acquiring) ?? before
      const parts = providers.map((each, index) => (each === keeper ? kept : others?.[index]))
      const isComplete = parts.every(
        (part) => part === kept || (part !== undefined && !hasExpired(part, context)),
      )
      const isKnown = isSameRecord(kept, before?.[providers.indexOf(keeper)])
      return put(parts, isKnown || !isComplete)
    },
  }
}

function acquireOthers(
  providers: readonly CredentialProvider[],
  keeper: CredentialProvider,
  before: Parts | undefined,
  context: AcquireContext,
): Promise<Parts> {
  return Promise.all(
    providers.map(async (provider, index) => {
      const previous = before?.[index]
      if (provider === keeper || (previous !== undefined && !hasExpired(previous, context))) {
        return previous
      }
      if (provider.interactive === true) return previous
      const part = await acquireWhileReading(provider, context)
      if (part !== undefined) freshParts.add(part)
      return part ?? previous
    }),
  )
}

/** Whether the store has the record that the manager has, so that it is not new. */
function isSameRecord(one: Credential, other: Credential | undefined): boolean {
  if (one.record === undefined || other?.record === undefined) return false
  return JSON.stringify(one.record.data) === JSON.stringify(other.record.data)
}

/** @param isIncomplete - Makes the expiry invalid, so that the manager acquires before it returns the credential. */
function joined(parts: readonly Credential[], isIncomplete: boolean): Credential {
  const expiresAt = Math.min(...parts.map((part) => part.expiresAt ?? Infinity))
  const refreshAt = Math.min(...parts.map((part) => part.refreshAt ?? Infinity))
  const obtained = parts.filter(
    (part) => part.expiresAt === expiresAt && part.obtainedAt !== undefined,
  )
  const obtainedAt = obtained[0]?.obtainedAt
  const { scope, issuer } = parts.find((part) => part.scope !== undefined) ?? {}
  const credential: Credential = {
    ...(scope === undefined ? {} : { scope }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(expiresAt === Infinity ? {} : { expiresAt }),
    ...(isIncomplete ? { expiresAt: Number.NaN } : {}),
    ...(refreshAt === Infinity ? {} : { refreshAt }),
    ...(obtainedAt === undefined ? {} : { obtainedAt }),
    apply: (request) => applyInOrder(parts, request),
    ...(parts.every((part) => part.observe === undefined)
      ? {}
      : { observe: (response, request) => observeAll(parts, response, request) }),
  }
  const keeper = parts.find((part) => part.record !== undefined)
  // Records contain secrets, so they must not be printed.
  Object.defineProperty(credential, 'record', { get: () => keeper?.record })
  return credential
}

/** Applies one part after the other, since a later one may sign what an earlier one has set. */
function applyInOrder(
  parts: readonly Credential[],
  request: OutgoingRequest,
): void | Promise<void> {
  for (const [index, part] of parts.entries()) {
    const pending = part.apply(request)
    if (isPromise(pending)) return pending.then(() => applyInOrder(parts.slice(index + 1), request))
  }
}

/** Passes the response to every part, even if another part throws. */
function observeAll(
  parts: readonly Credential[],
  response: ResponseHead,
  request: OutgoingRequest,
): ObserveResult | Promise<ObserveResult> {
  const failures: unknown[] = []
  const fail = (error: unknown) => void failures.push(error)
  const results = parts.map((part) => {
    try {
      const result = part.observe?.(response, request)
      return isPromise(result) ? Promise.resolve(result).catch(fail) : result
    } catch (error) {
      return fail(error)
    }
  })
  const conclude = (observed: readonly ObserveResult[]): ObserveResult => {
    if (observed.includes('renew')) return 'renew'
    if (observed.includes('resend')) return 'resend'
    if (failures.length > 0) throw failures[0]
    return undefined
  }
  return results.some(isPromise)
    ? Promise.all(results).then(conclude)
    : conclude(results as readonly ObserveResult[])
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}

// When one part is about to expire, parts that do not expire, or not within the same five minutes,
// are kept: renewing them would waste refresh tokens.
function isDue(part: Credential, context: AcquireContext): boolean {
  // No server has refused a part that was just read from the store.
  if (context.reason === 'missing' && freshParts.has(part)) return hasExpired(part, context)
  if (context.reason !== 'expiring') return true
  const expiresAt = Math.min(part.expiresAt ?? Infinity, part.refreshAt ?? Infinity)
  // The expiry of an incomplete credential is NaN.
  return expiresAt <= Math.max(context.now(), context.previous?.expiresAt || 0) + 300_000
}
