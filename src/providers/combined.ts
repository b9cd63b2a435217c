/**
 * Shared by the providers that combine other providers.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
  ResponseHead,
} from '../credential.ts'
import { ConfigurationError } from '../errors.ts'

/** The traits of a provider that combines others: it needs whatever one of them needs. */
export function traitsOf(
  name: string,
  providers: readonly CredentialProvider[],
): Omit<CredentialProvider, 'acquire' | 'restore' | 'revoke'> {
  const forgetful = providers.filter(({ forget }) => forget !== undefined)
  const surrendering = providers.filter(({ giveUp }) => giveUp !== undefined)
  const sources = [
    ...new Set(providers.flatMap(({ source }) => (typeof source === 'string' ? source : []))),
  ]
  const most = (member: 'alternatives' | 'maxResends') =>
    Math.max(...providers.map((provider) => provider[member] ?? 1))
  return {
    name: `${name}(${providers.map((provider) => provider.name).join(', ')})`,
    ...(sources.length === 0 ? {} : { source: sources.join(' and ') }),
    alternatives: most('alternatives'),
    maxResends: most('maxResends'),
    interactive: providers.some((provider) => provider.interactive === true),
    scoped: providers.some((provider) => provider.scoped === true),
    ...(providers.every((provider) => provider.refused === undefined)
      ? {}
      : { refused: (response) => providers.some((provider) => isRefusedBy(provider, response)) }),
    ...(forgetful.length === 0
      ? {}
      : {
          async forget(context) {
            const results = await Promise.all(forgetful.map((each) => each.forget?.(context)))
            return results.includes(true)
          },
        }),
    ...(surrendering.length === 0
      ? {}
      : {
          async giveUp(context) {
            const results = await Promise.all(surrendering.map((each) => each.giveUp?.(context)))
            return results.includes(true)
          },
        }),
  }
}

/**
 * Revokes the credentials of some of the providers, for a logout; the others end the login that their options
 * contain.
 *
 * @param credentialOf - The credential of a provider; `undefined`: there is none.
 * @returns Whether an issuer revoked anything.
 * @throws What the first of them throws, after all have been called.
 */
export async function revokeParts(
  providers: readonly CredentialProvider[],
  credentialOf: (provider: CredentialProvider, index: number) => Credential | undefined,
  context: AcquireContext,
): Promise<boolean> {
  const outcomes = await Promise.allSettled(
    providers.map(async (provider, index) => {
      const credential = credentialOf(provider, index)
      return credential === undefined
        ? provider.giveUp?.(context)
        : provider.revoke?.(credential, context)
    }),
  )
  const failure = outcomes.find(({ status }) => status === 'rejected')
  if (failure?.status === 'rejected') throw failure.reason
  return outcomes.some((outcome) => outcome.status === 'fulfilled' && outcome.value === true)
}

function isRefusedBy(provider: CredentialProvider, response: ResponseHead): boolean {
  const answer: unknown = provider.refused?.(response)
  // A promise is not a valid result, and its rejection must be handled.
  if (answer instanceof Promise) answer.catch(() => {})
  return answer === true
}

/**
 * Checks the providers that a combining provider receives.
 *
 * @throws {@link ConfigurationError} when there is none, or one of them is not a provider.
 */
export function checkProviders(name: string, providers: readonly CredentialProvider[]): void {
  if (!Array.isArray(providers) || providers.length === 0) {
    throw new ConfigurationError(name, `${name}: pass at least one provider.`)
  }
  for (const provider of providers as readonly (CredentialProvider & { select?: unknown })[]) {
    if (typeof provider?.acquire === 'function') continue
    throw new ConfigurationError(
      name,
      typeof provider?.select === 'function'
        ? `${name} does not accept a selector; pass the selector to withCredentials or authorizedFetch, and let it select ${name}(…).`
        : `${name}: every argument must be a provider, such as apiKey({ … }).`,
    )
  }
}

/** Whether a credential or a record has expired, or is about to. */
export function hasExpired(
  { expiresAt = Infinity, obtainedAt = 0 }: Pick<CredentialRecord, 'expiresAt' | 'obtainedAt'>,
  { now }: AcquireContext,
): boolean {
  return now() >= expiresAt - Math.min(10_000, Math.max(0, expiresAt - obtainedAt) / 10)
}

/**
 * Acquires while a record is read, when neither a login nor a single-use grant is allowed, because neither
 * would be recorded. `undefined`: the provider needs one of them.
 */
export async function acquireWhileReading(
  provider: CredentialProvider,
  context: AcquireContext,
): Promise<Credential | undefined> {
  const commit = () =>
    Promise.reject(new Error('No single-use grant is sent while a record is read.'))
  const salvage = () => {}
  try {
    const reading = { ...context, previous: undefined, interactive: false, commit, salvage }
    const credential = await provider.acquire(reading)
    return typeof credential?.apply === 'function' ? credential : undefined
  } catch {
    // The next acquisition reports the error.
    return undefined
  }
}
