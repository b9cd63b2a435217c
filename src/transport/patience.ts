/**
 * How long a request waits for a person.
 *
 * @module
 */
import { LoginRequiredError } from '../errors.ts'
import type { TokenManager } from '../manager/token-manager.ts'

// The SDKs give a request up after 60 seconds, with a message that says nothing of a login.
const patienceMs = 50_000

/**
 * Waits for a credential on behalf of a request, but only so long for a person who is logging in. The
 * login goes on without the request, so that a later one finds it done.
 *
 * @param wait - Waits for the credential; its signal is aborted when the caller gives up meanwhile.
 * @throws `LoginRequiredError` with the reason `login_pending` when the person takes too long.
 */
export async function patiently<T>(
  manager: TokenManager,
  signal: AbortSignal | undefined,
  wait: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const { interactive, provider, resource } = manager
  if (!interactive) return wait(signal)
  signal?.throwIfAborted()
  const leaving = new AbortController()
  const leave = () => leaving.abort(signal?.reason)
  signal?.addEventListener('abort', leave)
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const problem = `${provider}: there is still no credential after ${patienceMs / 1000} s.`
      const remedy = 'If somebody is logging in, await `manager.login()` before `connect()`.'
      const where = { provider, resource, retryable: true, remedy }
      reject(new LoginRequiredError('login_pending', problem, where))
    }, patienceMs)
  })
  try {
    return await Promise.race([wait(leaving.signal), tooLate])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', leave)
  }
}
