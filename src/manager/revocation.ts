/**
 * Ends a credential at its issuer, for a logout.
 *
 * @module
 */
import type { AcquireContext, Credential, CredentialProvider } from '../credential.ts'
import { describeThrown, isCredentialError } from '../errors.ts'
import { abortable, withTimeLimit } from '../waiting.ts'

/** How long the provider may take to end a credential at its issuer, in milliseconds. */
const limitMs = 10_000

/** Whether the issuer has revoked a credential. */
export interface Revocation {
  readonly revoked: boolean
  /** Why not, in words that hold no text of a server; absent when it was revoked. */
  readonly reason?: string
}

/**
 * Revokes a credential; with none, the provider gives up what its options hold. A failure is no reason to keep it,
 * so that none is thrown.
 */
export async function revokeCredential(
  provider: CredentialProvider,
  credential: Credential | undefined,
  context: AcquireContext,
): Promise<Revocation> {
  const { name } = provider
  const failed = (problem: string) => ({ revoked: false, reason: `${name}: ${problem}` })
  const nothing = 'nobody was logged in, so that there was nothing to revoke.'
  if (credential === undefined && provider.giveUp === undefined) return failed(nothing)
  if (credential !== undefined && provider.revoke === undefined) {
    return failed('such credentials are not revoked by a client; end them where they were issued.')
  }
  try {
    const revoked = await inTime((signal) =>
      credential === undefined
        ? provider.giveUp?.({ ...context, signal })
        : provider.revoke?.(credential, { ...context, signal }),
    )
    if (revoked === true) return { revoked }
    return failed(credential === undefined ? nothing : 'the issuer offers no way to revoke it.')
  } catch (thrown) {
    // What a foreign error says may quote a secret.
    if (isCredentialError(thrown)) return { revoked: false, reason: thrown.message }
    const isLate = thrown instanceof Error && thrown.name === 'TimeoutError'
    if (isLate) return failed(`the issuer did not answer within ${limitMs / 1000} s.`)
    return failed(`the revocation failed (${describeThrown(thrown)}).`)
  }
}

/** What is said of a stored login that is deleted unread. */
export function unreadLogin({
  name,
}: CredentialProvider): Revocation & { readonly reason: string } {
  const reason = `${name}: the stored login could not be read, so that nothing was revoked; its tokens work until they expire.`
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
