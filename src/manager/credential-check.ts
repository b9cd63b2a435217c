/**
 * Checks of the credentials that providers return.
 *
 * @module
 */
import type { Credential } from '../credential.ts'
import { recordProblem } from '../credential-record.ts'
import { CredentialError } from '../errors.ts'

/** Whether the times of a credential that was read from a store can be used. */
export function hasValidTimes({ expiresAt }: Credential): boolean {
  return expiresAt === undefined || (typeof expiresAt === 'number' && !Number.isNaN(expiresAt))
}

/** Whether a later acquisition can use the record of a credential, even if its times are invalid. */
export function isStorable(credential: Partial<Credential> | undefined): boolean {
  if (typeof credential?.apply !== 'function' || credential.record === undefined) return false
  return recordProblem(credential.record) === undefined
}

/**
 * Checks a credential before it is used.
 *
 * @throws {@link CredentialError} with the code `invalid_response` that describes what to return instead.
 */
export function checkCredential(credential: Credential, provider: string, now: number): void {
  if (typeof credential?.apply !== 'function') {
    throw invalid(
      provider,
      'resolved to a value without an `apply` function',
      'Return { apply({ headers }) { headers.set(…) } }.',
    )
  }
  const expiresAt: unknown = credential.expiresAt
  if (expiresAt === undefined) {
    if (!('expiresIn' in credential)) return
    throw invalid(
      provider,
      'resolved to a credential with `expiresIn`, which is not supported',
      'Return `expiresAt: now() + seconds * 1000` instead.',
    )
  }
  if (typeof expiresAt !== 'number' || Number.isNaN(expiresAt)) {
    throw invalid(
      provider,
      'resolved to a credential whose `expiresAt` is not a number',
      'Return milliseconds since the epoch, such as now() + 3600_000.',
    )
  }
  // A time in seconds would be an hour in January 1970.
  if (expiresAt < now / 100) {
    throw invalid(
      provider,
      'resolved to a credential whose `expiresAt` is decades in the past',
      '`expiresAt` is milliseconds since the epoch; multiply seconds by 1000.',
    )
  }
}

function invalid(provider: string, problem: string, remedy: string): CredentialError {
  return new CredentialError('invalid_response', `${provider}: \`acquire\` ${problem}.`, {
    provider,
    remedy,
  })
}
