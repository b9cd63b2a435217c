/**
 * Reports logins that are not finished, since what came back is not accepted.
 *
 * @module
 */
import type { AuditEvent } from '../audit-events.ts'
import { isCredentialError } from '../errors.ts'
import type { PendingLoginRecord } from '../oauth/pending-login.ts'

/** The codes of the errors that say so. */
const codes: ReadonlySet<string> = new Set([
  'login_state_invalid',
  'login_expired',
  'login_used',
  'login_mismatch',
])

/**
 * Runs a check of what came back from a login, and reports a refusal.
 *
 * @param login - Gets the login, as far as it is known when the check fails.
 */
export async function auditReturn<T>(
  emit: ((event: AuditEvent) => void) | undefined,
  login: () => Pick<PendingLoginRecord, 'issuer' | 'clientId'> | undefined,
  check: () => Promise<T>,
): Promise<T> {
  try {
    return await check()
  } catch (error) {
    if (isCredentialError(error) && codes.has(error.code)) {
      const { issuer, clientId } = login() ?? {}
      emit?.({
        type: 'login_refused',
        grant: 'authorization_code',
        ...(issuer === undefined ? {} : { issuer }),
        ...(clientId === undefined ? {} : { clientId }),
        during: 'finish',
        code: error.code,
        reason: error.message,
      })
    }
    throw error
  }
}
