/**
 * What providers that are made of providers have in common.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'

/** What a provider that is made of others says about itself: whatever one of them needs, it needs. */
export function traitsOf(
  name: string,
  providers: readonly CredentialProvider[],
): Omit<CredentialProvider, 'acquire' | 'restore' | 'revoke'> {
  const most = (member: 'alternatives' | 'maxResends') =>
    Math.max(...providers.map((provider) => provider[member] ?? 1))
  return {
    name: `${name}(${providers.map((provider) => provider.name).join(', ')})`,
    alternatives: most('alternatives'),
    maxResends: most('maxResends'),
    interactive: providers.some((provider) => provider.interactive === true),
    scoped: providers.some((provider) => provider.scoped === true),
    ...(providers.every((provider) => provider.refused === undefined)
      ? {}
      : { refused: (response) => providers.some((provider) => provider.refused?.(response)) }),
  }
}

/**
 * Checks the providers that another is made of.
 *
 * @throws {@link ConfigurationError} when there is none, or one of them is no provider.
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
        ? `${name} takes no selector; pass the selector to withCredentials or authorizedFetch, and let it select ${name}(…).`
        : `${name}: every argument must be a provider, such as apiKey({ … }).`,
    )
  }
}
