/**
 * Sends requests without a credential if there is none: many servers require none.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { addNothing, isEmptyCredential } from '../empty-credential.ts'
import { isCredentialError } from '../errors.ts'
import { type AuthorizedFetch, authorizedFetch } from '../transport/authorized-fetch.ts'
import { drain } from '../transport/drain.ts'
import type { AuthorizedFetchOptions } from '../transport/options.ts'

/** The connection of one client to the server. */
export interface Channel {
  fetch(input: string | URL, init?: RequestInit): Promise<Response>
  /** Whether the request of a response had a credential. */
  hadCredential(response: Response): boolean
}

/** A `fetch` that adds a credential if there is one. */
export interface OptionalCredential {
  /** Opens a {@link Channel}. */
  open(): Channel
  close(): Promise<void>
}

/**
 * Sends a request without a credential when its provider has none. `auto()` tests the server first; other
 * providers do not, and a server may require a credential only for some requests. When the server refuses,
 * the provider's error is thrown, because its remedy helps the user. After one request of a channel had a
 * credential, all others require one, so that the identity does not change.
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
  // The same rules for origins and redirects apply as to requests with a credential.
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
            if (needsCredential || !hasNoCredential(error)) throw error
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

/** Whether the current credential is empty, because the server requires none. */
function isEmpty(authorized: AuthorizedFetch): boolean {
  try {
    return isEmptyCredential(authorized.manager.current())
  } catch {
    // A selector has several managers; its choice is treated as a credential.
    return false
  }
}

/**
 * Whether there is no credential. Failed, refused and pending logins have other reasons, and require a
 * credential.
 */
function hasNoCredential(error: unknown): boolean {
  return isCredentialError(error, 'login_required') && error.reason === 'no_credential'
}
