/**
 * Requests that go without a credential where there is none: many servers ask for none.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { addNothing, isEmptyCredential } from '../empty-credential.ts'
import { isCredentialError } from '../errors.ts'
import { type AuthorizedFetch, authorizedFetch } from '../transport/authorized-fetch.ts'
import { drain } from '../transport/drain.ts'
import type { AuthorizedFetchOptions } from '../transport/options.ts'

/** The way of one client to the server. */
export interface Channel {
  fetch(input: string | URL, init?: RequestInit): Promise<Response>
  /** Whether the request that a response answers had a credential. */
  hadCredential(response: Response): boolean
}

/** A `fetch` that puts a credential on its requests when there is one. */
export interface OptionalCredential {
  /** Opens a {@link Channel}. */
  open(): Channel
  close(): Promise<void>
}

/**
 * Sends a request without a credential when its provider has none. `auto()` asks the server before it says so; other
 * providers do not, and a server may want a credential for some requests alone. When the server refuses that, the provider's
 * error is thrown: it says what to do. Once a request of a channel had a credential, none goes without: what the user began
 * under a name must not continue without one.
 */
export function optionalCredential(
  authorized: AuthorizedFetch,
  { resource, fetch, allowInsecure }: AuthorizedFetchOptions,
): OptionalCredential {
  const nothing: CredentialProvider = {
    name: 'nothing',
    acquire: async () => ({ apply: addNothing }),
  }
  const retry = { maxRetries: 0 }
  // It keeps to the server's origin, and to its own in redirects, as requests with a credential do.
  const bare = authorizedFetch(nothing, {
    resource,
    retry,
    ...(fetch === undefined ? {} : { fetch }),
    ...(allowInsecure === undefined ? {} : { allowInsecure }),
  })
  return {
    open() {
      const withCredential = new WeakSet<Response>()
      let needsCredential = false
      return {
        async fetch(input, init) {
          try {
            const response = await authorized(input, init)
            if (isEmpty(authorized)) return response
            needsCredential = true
            withCredential.add(response)
            return response
          } catch (error) {
            if (needsCredential || !isNothingThere(error)) throw error
            const response = await bare(input, init)
            if (response.status !== 401 && response.status !== 403) return response
            drain(response)
            throw error
          }
        },
        hadCredential: (response) => withCredential.has(response),
      }
    },
    async close() {
      await Promise.all([authorized.close(), bare.close()])
    },
  }
}

/** Whether the credential that is held adds nothing to requests, because the server asks for none. */
function isEmpty(authorized: AuthorizedFetch): boolean {
  try {
    return isEmptyCredential(authorized.manager.current())
  } catch {
    // A selector has several managers; whatever it chose counts as a credential.
    return false
  }
}

/** A login that failed, was refused, or is under way is another reason: the user wants a credential to be used. */
function isNothingThere(error: unknown): boolean {
  return isCredentialError(error, 'login_required') && error.reason === 'no_credential'
}
