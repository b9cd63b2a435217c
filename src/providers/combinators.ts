/**
 * Providers made of providers.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  ObserveResult,
} from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'

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
    name: `all(${namesOf(providers)})`,
    alternatives: Math.max(...providers.map((provider) => provider.alternatives ?? 1)),
    interactive: providers.some((provider) => provider.interactive === true),
    scoped: providers.some((provider) => provider.scoped === true),
    discovers: providers.some((provider) => provider.discovers === true),
    async acquire(context) {
      const before = context.previous === undefined ? undefined : partsOf.get(context.previous)
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

/**
 * Takes the first provider that has a credential: an environment variable, else a file, say.
 *
 * @throws {@link ConfigurationError} when no provider is given.
 *
 * @example
 * ```ts
 * import { apiKey, env, file, firstAvailable } from 'mcp-credentials'
 *
 * const provider = firstAvailable(
 *   apiKey({ value: env('MCP_API_KEY') }),
 *   apiKey({ value: file('/run/secrets/mcp-api-key') }),
 * )
 * ```
 */
export function firstAvailable(...providers: readonly CredentialProvider[]): CredentialProvider {
  checkProviders('firstAvailable', providers)
  const origin = new WeakMap<Credential, CredentialProvider>()
  return {
    name: `firstAvailable(${namesOf(providers)})`,
    alternatives: Math.max(...providers.map((provider) => provider.alternatives ?? 1)),
    interactive: providers.some((provider) => provider.interactive === true),
    scoped: providers.some((provider) => provider.scoped === true),
    async acquire(context) {
      const problems: string[] = []
      let retryable = false
      let login: CredentialError | undefined
      for (const provider of providers) {
        try {
          return await acquireFrom(provider, context, origin)
        } catch (error) {
          context.signal.throwIfAborted()
          const isInUse = previousOf(provider, context, origin) !== undefined
          // The one in use is busy; another would be somebody else.
          if (isInUse && isCredentialError(error) && error.retryable) throw error
          if (isCredentialError(error, 'login_required')) login ??= error
          retryable ||= !isCredentialError(error) || error.retryable
          problems.push(describe(provider, error))
        }
      }
      // Only a person can help, and asking again by itself would bother them.
      if (login !== undefined) throw login
      throw new CredentialError(
        'acquire_failed',
        `None of ${providers.length} providers has a credential. ${problems.join(' ')}`,
        { retryable },
      )
    },
    ...(providers.every(({ restore }) => restore === undefined)
      ? {}
      : {
          // What comes before the stored one still comes before it.
          async restore(record, context) {
            const rest = { ...context, previous: undefined }
            for (const provider of providers) {
              const credential = await (provider.restore === undefined
                ? provider.acquire(rest).catch(() => undefined)
                : provider.restore(record, context))
              if (credential === undefined) continue
              origin.set(credential, provider)
              return credential
            }
            return undefined
          },
        }),
    async revoke(credential, context) {
      return (await origin.get(credential)?.revoke?.(credential, context)) ?? false
    },
  }
}

/**
 * Holds keys that replace each other: after the server refuses one, the next is used, and the one
 * that works is remembered. Put the primary key first.
 *
 * @throws {@link ConfigurationError} when fewer than two providers are given.
 *
 * @example
 * ```ts
 * import { apiKey, env, rotating } from 'mcp-credentials'
 *
 * const provider = rotating([
 *   apiKey({ value: env('MCP_API_KEY') }),
 *   apiKey({ value: env('MCP_API_KEY_NEXT') }),
 * ])
 * ```
 */
export function rotating(providers: readonly CredentialProvider[]): CredentialProvider {
  checkProviders('rotating', providers)
  if (providers.length < 2) {
    throw new ConfigurationError(
      'rotating',
      'rotating: pass at least two providers, the primary first.',
    )
  }
  const origin = new WeakMap<Credential, CredentialProvider>()
  let preferred = 0
  return {
    name: `rotating(${namesOf(providers)})`,
    alternatives: providers.length - 1,
    interactive: providers.some((provider) => provider.interactive === true),
    scoped: providers.some((provider) => provider.scoped === true),
    async revoke(credential, context) {
      return (await origin.get(credential)?.revoke?.(credential, context)) ?? false
    },
    async acquire(context) {
      const refused = context.reason === 'rejected' && context.previous !== undefined
      const start = refused ? indexAfter(providers, origin.get(context.previous)) : preferred
      let failure: unknown
      for (let step = 0; step < providers.length; step += 1) {
        const index = (start + step) % providers.length
        const provider = providers[index]
        if (provider === undefined) continue
        try {
          const credential = await acquireFrom(provider, context, origin)
          preferred = index
          return credential
        } catch (error) {
          context.signal.throwIfAborted()
          failure ??= error
        }
      }
      throw failure
    },
  }
}

/** One credential for each provider; none where it has not been got. */
type Parts = readonly (Credential | undefined)[]

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
    async apply(request) {
      for (const part of parts) await part.apply(request)
    },
    async observe(response, request) {
      const results: (ObserveResult | undefined)[] = []
      for (const part of parts) results.push(await part.observe?.(response, request))
      return results.includes('renew') ? 'renew' : results.find((result) => result === 'resend')
    },
  }
  const keeper = parts.find((part) => part.record !== undefined)
  // Records hold secrets, so they are not for print-outs.
  Object.defineProperty(credential, 'record', { get: () => keeper?.record })
  return credential
}

// When one part is about to expire, parts that do not expire, or not within the same five minutes,
// are kept: renewing them would spend refresh tokens for nothing.
function isDue(part: Credential, context: AcquireContext): boolean {
  if (context.reason !== 'expiring') return true
  const expiresAt = Math.min(part.expiresAt ?? Infinity, part.refreshAt ?? Infinity)
  return expiresAt <= Math.max(context.now(), context.previous?.expiresAt ?? 0) + 300_000
}

/** Acquires from one of several providers, and remembers whose the credential is. */
async function acquireFrom(
  provider: CredentialProvider,
  context: AcquireContext,
  origin: WeakMap<Credential, CredentialProvider>,
): Promise<Credential> {
  const previous = previousOf(provider, context, origin)
  const salvage = (rest: Credential) => {
    origin.set(rest, provider)
    context.salvage(rest)
  }
  const credential = await provider.acquire({ ...context, previous, salvage })
  origin.set(credential, provider)
  return credential
}

function previousOf(
  provider: CredentialProvider,
  context: AcquireContext,
  origin: WeakMap<Credential, CredentialProvider>,
): Credential | undefined {
  const { previous } = context
  return previous !== undefined && origin.get(previous) === provider ? previous : undefined
}

function indexAfter(
  providers: readonly CredentialProvider[],
  provider: CredentialProvider | undefined,
): number {
  return provider === undefined ? 0 : (providers.indexOf(provider) + 1) % providers.length
}

function describe(provider: CredentialProvider, error: unknown): string {
  if (isCredentialError(error)) return `${provider.name}: ${error.message}`
  return `${provider.name}: failed with ${error instanceof Error ? error.name : typeof error}.`
}

function namesOf(providers: readonly CredentialProvider[]): string {
  return providers.map((provider) => provider.name).join(', ')
}

function checkProviders(name: string, providers: readonly CredentialProvider[]): void {
  if (!Array.isArray(providers) || providers.length === 0) {
    throw new ConfigurationError(name, `${name}: pass at least one provider.`)
  }
  for (const provider of providers) {
    if (typeof provider?.acquire !== 'function') {
      throw new ConfigurationError(
        name,
        `${name}: every argument must be a provider, such as apiKey({ … }).`,
      )
    }
  }
}
