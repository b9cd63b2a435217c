/**
 * Reports logins whose callback is refused.
 *
 * @module
 */
import type { AuditEvent } from '../audit-events.ts'
import { isCredentialError } from '../errors.ts'
import type { PendingLoginRecord } from '../oauth/pending-login.ts'

/** The error codes of refused callbacks. */
const codes: ReadonlySet<string> = new Set([
  'login_state_invalid',
  'login_expired',
  'login_used',
  'login_mismatch',
])

/**
 * Runs a check of a callback, and reports a refusal.
 *
 * @param login - Returns the login, if it is known when the check fails.
 */
export async function auditCallback<T>(
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
