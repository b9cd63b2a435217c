/**
 * How long a request waits for a user who is logging in.
 *
 * @module
 */
import { LoginRequiredError } from '../errors.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { onAbort } from '../waiting.ts'

// The SDKs give a request up after 60 seconds, with a message that does not mention the login.
const loginTimeoutMs = 50_000

/**
 * Waits for a credential on behalf of a request, but at most 50 seconds where a user has to log in. The
 * login continues without the request, so that a later request finds it complete.
 *
 * @param wait - Waits for the credential; its signal aborts when the caller gives up meanwhile.
 * @param tenant - The key by which a selector chose the manager.
 * @throws `LoginRequiredError` with the reason `login_pending` when the login takes longer.
 */
export async function withLoginTimeout<T>(
  manager: Pick<TransportPort, 'interactive' | 'provider' | 'resource'>,
  signal: AbortSignal | undefined,
  wait: (signal: AbortSignal | undefined) => Promise<T>,
  tenant?: string,
): Promise<T> {
  const { interactive, provider, resource } = manager
  if (!interactive) return wait(signal)
  signal?.throwIfAborted()
  const leaving = new AbortController()
  const unsubscribe =
    signal === undefined ? undefined : onAbort(signal, () => leaving.abort(signal.reason))
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const problem = `${provider}: there is still no credential after ${loginTimeoutMs / 1000} s.`
      const remedy =
        'If a user is logging in, await `login()` of withCredentials() or authorizedFetch() before `connect()`.'
      const where = { provider, resource, tenant, retryable: true, remedy }
      reject(new LoginRequiredError('login_pending', problem, where))
    }, loginTimeoutMs)
  })
  try {
    return await Promise.race([wait(leaving.signal), timeout])
  } finally {
    clearTimeout(timer)
    unsubscribe?.()
  }
}
