/**
 * Providers that combine other providers.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
} from '../credential.ts'
import {
  ConfigurationError,
  CredentialError,
  describeThrown,
  isCredentialError,
} from '../errors.ts'
import {
  acquireWhileReading,
  checkProviders,
  hasExpired,
  revokeParts,
  traitsOf,
} from './combined.ts'

export { all } from './all.ts'

/**
 * Uses the first provider that has a credential, such as an environment variable before a file.
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
 * @group Several credentials
 */
export function firstAvailable(...providers: readonly CredentialProvider[]): CredentialProvider {
  checkProviders('firstAvailable', providers)
  const origin = new WeakMap<Credential, CredentialProvider>()
  return {
    ...traitsOf('firstAvailable', providers),
    acquire: (context) => acquireFirst(providers, context, origin),
    ...(providers.every(({ restore }) => restore === undefined)
      ? {}
      : { restore: (record, context) => restoreFirst(providers, record, context, origin) }),
    revoke(credential, context) {
      const user = origin.get(credential)
      const used = (provider: CredentialProvider) => (provider === user ? credential : undefined)
      return revokeParts(providers, used, context)
    },
  }
}

/** Rebuilds a credential from a record. Providers before the stored one keep their precedence. */
async function restoreFirst(
  providers: readonly CredentialProvider[],
  record: CredentialRecord,
  context: AcquireContext,
  origin: WeakMap<Credential, CredentialProvider>,
): Promise<Credential | undefined> {
  const stored = await firstRestored(providers, record, context)
  // A renewal or a revocation needs the stored credential, not another one.
  const needsStored = context.reason === 'forced' || hasExpired(record, context)
  const found =
    stored !== undefined && needsStored ? stored : await firstOf(providers, context, stored)
  if (found !== undefined) origin.set(found.credential, found.provider)
  return found?.credential
}

interface Found {
  readonly provider: CredentialProvider
  readonly credential: Credential
}

async function firstRestored(
  providers: readonly CredentialProvider[],
  record: CredentialRecord,
  context: AcquireContext,
): Promise<Found | undefined> {
  for (const provider of providers) {
    const credential = await provider.restore?.(record, context)
    if (credential !== undefined) return { provider, credential }
  }
  return undefined
}

/** Returns the stored credential, or that of an earlier provider that needs no single-use grant. */
async function firstOf(
  providers: readonly CredentialProvider[],
  context: AcquireContext,
  stored: Found | undefined,
): Promise<Found | undefined> {
  for (const provider of providers) {
    if (provider === stored?.provider) return stored
    if (provider.restore !== undefined) continue
    const credential = await acquireWhileReading(provider, context)
    if (credential !== undefined) return { provider, credential }
  }
  return undefined
}

async function acquireFirst(
  providers: readonly CredentialProvider[],
  context: AcquireContext,
  origin: WeakMap<Credential, CredentialProvider>,
): Promise<Credential> {
  const problems: string[] = []
  let retryable = false
  let retryAfter: number | undefined = Infinity
  let login: CredentialError | undefined
  for (const provider of providers) {
    try {
      return await acquireFrom(provider, context, origin)
    } catch (error) {
      context.signal.throwIfAborted()
      const isInUse = previousOf(provider, context, origin) !== undefined
      // The provider in use may recover, and another one could authenticate a different user.
      if (isInUse && isCredentialError(error) && error.retryable) throw error
      if (isCredentialError(error, 'login_required')) login ??= error
      retryable ||= !isCredentialError(error) || error.retryable
      const { retryAfter: pause } = isCredentialError(error) ? error : {}
      retryAfter =
        pause === undefined || retryAfter === undefined ? undefined : Math.min(pause, retryAfter)
      problems.push(describe(provider, error))
    }
  }
  // The login error is not retryable, so the user is not asked again automatically.
  if (login !== undefined) throw login
  throw new CredentialError(
    'acquire_failed',
    `None of ${providers.length} providers has a credential. ${problems.join(' ')}`,
    { retryable, ...(retryAfter === undefined ? {} : { retryAfter }) },
  )
}

/**
 * Rotates among keys: after the server refuses one, the next is used, and the one that works is kept. Put the
 * primary key first.
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
 * @group Several credentials
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
    ...traitsOf('rotating', providers),
    alternatives: providers.length - 1,
    revoke(credential, context) {
      const user = origin.get(credential)
      const used = (provider: CredentialProvider) => (provider === user ? credential : undefined)
      return revokeParts(providers, used, context)
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

/** Acquires from one of several providers, and records which one it was. */
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
  return `${provider.name}: failed (${describeThrown(error)}).`
}
