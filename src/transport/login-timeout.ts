/**
 * Limits how long a request waits for a user who is logging in.
 *
 * @module
 */
import { LoginRequiredError } from '../errors.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { withTimeLimit } from '../waiting.ts'

// Requests of the SDKs time out after 60 seconds, with a message that does not mention the login.
const loginTimeoutMs = 50_000

/**
 * Waits for a credential on behalf of a request, but at most 50 seconds when the user must log in. The login
 * continues without the request, so that a later request finds it complete and does not start another.
 *
 * @param wait - Waits for the credential until its signal aborts.
 * @param tenant - The key by which a selector chose the manager.
 * @throws `LoginRequiredError` with the reason `login_pending` when the login takes longer.
 */
export function withLoginTimeout<T>(
  port: Pick<TransportPort, 'interactive' | 'provider' | 'resource' | 'detachAcquisition'>,
  signal: AbortSignal | undefined,
  wait: (signal: AbortSignal | undefined) => Promise<T>,
  tenant?: string,
): Promise<T> {
  const { interactive, provider, resource } = port
  if (!interactive) return wait(signal)
  const tooLate = () => {
    port.detachAcquisition()
    const problem = `${provider}: there is still no credential after ${loginTimeoutMs / 1000} s.`
    const remedy =
      'If a user is logging in, await `login()` of withCredentials() or authorizedFetch() before `connect()`. If the browser shows an error about `redirect_uri`, register it.'
    const where = { provider, resource, tenant, retryable: true, remedy }
    return new LoginRequiredError('login_pending', problem, where)
  }
  return withTimeLimit(loginTimeoutMs, signal, wait, tooLate)
}
