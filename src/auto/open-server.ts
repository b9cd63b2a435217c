/**
 * Detects servers that require no credential.
 *
 * @module
 */
import type { AcquireContext, CredentialProvider } from '../credential.ts'
import { addNothing } from '../empty-credential.ts'
import { abortable, withTimeLimit } from '../waiting.ts'

/** The time limit for the response in milliseconds. */
const limitMs = 5000
/** Milliseconds after which the store is read again for a new login or key. */
const lifeMs = 60_000

/** Provides credentials that add nothing to a request. */
export const emptyCredentials: CredentialProvider = {
  name: 'none',
  acquire: async ({ now }) => ({ expiresAt: now() + lifeMs, apply: addNothing }),
}

/**
 * Sends an empty request without a credential, and follows no redirect.
 *
 * @returns Whether the status is neither 401 nor 403; `false` if there is no response within five seconds.
 */
export async function worksWithoutCredential(context: AcquireContext): Promise<boolean> {
  const { serverUrl, fetch, signal } = context
  try {
    const response = await withTimeLimit(limitMs, signal, (limit) =>
      abortable(
        fetch(serverUrl, { method: 'POST', body: '', redirect: 'manual', signal: limit }),
        limit,
      ),
    )
    response.body?.cancel().catch(() => {})
    return response.status !== 401 && response.status !== 403
  } catch {
    signal.throwIfAborted()
    return false
  }
}
