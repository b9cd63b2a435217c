/**
 * Requests that go without a credential where there is none: many servers ask for none.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { isCredentialError } from '../errors.ts'
import { type AuthorizedFetch, authorizedFetch } from '../transport/authorized-fetch.ts'
import { drain } from '../transport/drain.ts'
import type { AuthorizedFetchOptions } from '../transport/options.ts'

/** A `fetch` that puts a credential on its requests when there is one. */
export interface OptionalCredential {
  fetch(input: string | URL, init?: RequestInit): Promise<Response>
  /** Whether the request before had one. */
  wasUsed(): boolean
  close(): Promise<void>
}

/**
 * Sends a request without a credential when its provider has none. `auto()` asks the server before it says so; other
 * providers do not, and a server may want a credential for some requests alone. When the server refuses that, the provider's error
 * is thrown: it says what to do. Every request asks the provider first, so that a login counts at once.
 */
export function optionalCredential(
  authorized: AuthorizedFetch,
  { resource, fetch, allowInsecure }: AuthorizedFetchOptions,
): OptionalCredential {
  const nothing: CredentialProvider = { name: 'nothing', acquire: async () => ({ apply() {} }) }
  const retry = { maxRetries: 0 }
  // It keeps to the server's origin, and to its own in redirects, as requests with a credential do.
  const bare = authorizedFetch(nothing, {
    resource,
    retry,
    ...(fetch === undefined ? {} : { fetch }),
    ...(allowInsecure === undefined ? {} : { allowInsecure }),
  })
  let wasUsed = false
  return {
    async fetch(input, init) {
      try {
        const response = await authorized(input, init)
        wasUsed = true
        return response
      } catch (error) {
        if (!isCredentialError(error, 'login_required') || error.reason !== 'no_credential') {
          throw error
        }
        wasUsed = false
        const response = await bare(input, init)
        if (response.status !== 401 && response.status !== 403) return response
        drain(response)
        throw error
      }
    },
    wasUsed: () => wasUsed,
    async close() {
      await Promise.all([authorized.close(), bare.close()])
    },
  }
}
