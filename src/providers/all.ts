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
import { checkProviders, traitsOf } from './combined.ts'

/** One credential for each provider; none where it has not been got. */
type Parts = readonly (Credential | undefined)[]

/**
 * Puts several credentials on each request: a token and a tenant header, say. They are applied in the
 * order given, so a signature that covers the others' headers comes last. A store keeps the login inside,
 * if there is one, and if there is one only.
 *
 * @throws {@link ConfigurationError} when no provider is given.
 *
 * @example
 * ```ts
 * import { all, bearer, env, headers } from 'mcp-credentials'
 *
 * const provider = all(bearer(env('MCP_TOKEN')), headers({ 'X-Tenant-ID': 'acme' }))
 * ```
 */
export function all(...providers: readonly CredentialProvider[]): CredentialProvider {
  checkProviders('all', providers)
  const partsOf = new WeakMap<Credential, Parts>()
  const put = (parts: Parts): Credential => {
    const credential = joined(parts.filter((part) => part !== undefined))
    partsOf.set(credential, parts)
    return credential
  }
  return {
    ...traitsOf('all', providers),
    discovers: providers.some((provider) => provider.discovers === true),
    acquire(context) {
      const before = context.previous === undefined ? undefined : partsOf.get(context.previous)
      return acquireAll(providers, before, context, put)
    },
    ...restoring(providers, put),
    async revoke(credential, context) {
      const parts = partsOf.get(credential) ?? []
      const revoked = await Promise.all(
        providers.map((provider, index) => {
          const part = parts[index]
          return part === undefined ? false : (provider.revoke?.(part, context) ?? false)
        }),
      )
      return revoked.includes(true)
    },
  }
}

/** Acquires what is due of the parts, and keeps what was got when one of them fails. */
async function acquireAll(
  providers: readonly CredentialProvider[],
  before: Parts | undefined,
  context: AcquireContext,
  put: (parts: Parts) => Credential,
): Promise<Credential> {
  const parts: (Credential | undefined)[] = providers.map((_provider, index) => before?.[index])
  const keep = () => context.salvage(put([...parts]))
  const acquire = async (provider: CredentialProvider, index: number) => {
    const previous = parts[index]
    if (previous !== undefined && !isDue(previous, context)) return
    const salvage = (rest: Credential) => {
      parts[index] = rest
      keep()
    }
    parts[index] = await provider.acquire({ ...context, previous, salvage })
  }
  // Nobody is asked to log in for what another part spoils.
  for (const asksPerson of [false, true]) {
    const round = providers.map(async (provider, index) => {
      if ((provider.interactive === true) === asksPerson) await acquire(provider, index)
    })
    const results = await Promise.allSettled(round)
    const failure = results.find((result) => result.status === 'rejected')
    if (failure === undefined) continue
    // What a part has got may have cost a refresh token.
    if (parts.some((part, index) => part !== before?.[index])) keep()
    throw failure.reason
  }
  return put(parts)
}

/** Rebuilds the one part that a store can keep, and gets the others anew. */
function restoring(
  providers: readonly CredentialProvider[],
  put: (parts: Parts) => Credential,
): Pick<CredentialProvider, 'restore'> {
  const [keeper, second] = providers.filter(({ restore }) => restore !== undefined)
  if (keeper === undefined || second !== undefined) return {}
  return {
    async restore(record, context) {
      const kept = await keeper.restore?.(record, context)
      if (kept === undefined) return undefined
      const rest = { ...context, previous: undefined }
      return put(
        await Promise.all(
          providers.map((provider) => (provider === keeper ? kept : provider.acquire(rest))),
        ),
      )
    },
  }
}

function joined(parts: readonly Credential[]): Credential {
  const expiresAt = Math.min(...parts.map((part) => part.expiresAt ?? Infinity))
  const refreshAt = Math.min(...parts.map((part) => part.refreshAt ?? Infinity))
  const obtained = parts.filter(
    (part) => part.expiresAt === expiresAt && part.obtainedAt !== undefined,
  )
  const obtainedAt = obtained[0]?.obtainedAt
  const scope = parts.find((part) => part.scope !== undefined)?.scope
  const credential: Credential = {
    ...(scope === undefined ? {} : { scope }),
    ...(expiresAt === Infinity ? {} : { expiresAt }),
    ...(refreshAt === Infinity ? {} : { refreshAt }),
    ...(obtainedAt === undefined ? {} : { obtainedAt }),
    apply: (request) => applyInOrder(parts, request),
    ...(parts.every((part) => part.observe === undefined)
      ? {}
      : { observe: (response, request) => observeAll(parts, response, request) }),
  }
  const keeper = parts.find((part) => part.record !== undefined)
  // Records hold secrets, so they are not for print-outs.
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

/** Shows the response to every part, whatever the others do with it. */
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
// are kept: renewing them would spend refresh tokens for nothing.
function isDue(part: Credential, context: AcquireContext): boolean {
  if (context.reason !== 'expiring') return true
  const expiresAt = Math.min(part.expiresAt ?? Infinity, part.refreshAt ?? Infinity)
  return expiresAt <= Math.max(context.now(), context.previous?.expiresAt ?? 0) + 300_000
}
