/**
 * Revokes a credential at its issuer, for a logout.
 *
 * @module
 */
import type { AcquireContext, Credential, CredentialProvider } from '../credential.ts'
import { describeThrown, isCredentialError } from '../errors.ts'
import { abortable, withTimeLimit } from '../waiting.ts'

/** How long the provider may take to revoke a credential, in milliseconds. */
const limitMs = 10_000

/** Whether the issuer has revoked a credential. */
export interface Revocation {
  readonly revoked: boolean
  /** Why it was not revoked, without any text from a server; absent when it was. */
  readonly reason?: string
}

/**
 * Revokes a credential; without one, the provider ends the login that its options contain. Failures are
 * returned, not thrown: they must not stop the logout.
 */
export async function revokeCredential(
  provider: CredentialProvider,
  credential: Credential | undefined,
  context: AcquireContext,
): Promise<Revocation> {
  const { name } = provider
  const failed = (problem: string) => ({ revoked: false, reason: `${name}: ${problem}` })
  const nothing = 'there was no login to revoke.'
  if (credential === undefined && provider.giveUp === undefined) return failed(nothing)
  if (credential !== undefined && provider.revoke === undefined) {
    return failed('a client cannot revoke such credentials; revoke them where they were issued.')
  }
  try {
    const revoked = await inTime((signal) =>
      credential === undefined
        ? provider.giveUp?.({ ...context, signal })
        : provider.revoke?.(credential, { ...context, signal }),
    )
    if (revoked === true) return { revoked }
    return failed(credential === undefined ? nothing : 'the issuer does not support revocation.')
  } catch (thrown) {
    // The message of a foreign error may quote a secret.
    if (isCredentialError(thrown)) return { revoked: false, reason: thrown.message }
    const isLate = thrown instanceof Error && thrown.name === 'TimeoutError'
    if (isLate) return failed(`the issuer did not respond within ${limitMs / 1000} s.`)
    return failed(`the revocation failed (${describeThrown(thrown)}).`)
  }
}

/** Returns the result for a stored login that was deleted without being read. */
export function unreadLogin({
  name,
}: CredentialProvider): Revocation & { readonly reason: string } {
  const reason = `${name}: the stored login could not be read, so nothing was revoked; its tokens work until they expire.`
  return { revoked: false, reason }
}

/**
 * Runs a task that may take ten seconds.
 *
 * @throws What the task throws; a `TimeoutError` when it takes longer.
 */
export function inTime<T>(
  task: (signal: AbortSignal) => Promise<T> | undefined,
): Promise<T | undefined> {
  return withTimeLimit(limitMs, undefined, (signal) =>
    abortable((async () => task(signal))(), signal),
  )
}
