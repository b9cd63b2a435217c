/**
 * Detects the reuse of a refresh token by another party.
 *
 * @module
 */
import { endpointErrorOf } from './error-mapping.ts'
import type { GrantSession } from './grant.ts'
import { revokeTokens } from './revocation.ts'
import type { TokenSet } from './token.ts'

/** Tokens whose renewal received no response: when they are refused later, this client has used them. */
const unanswered = new WeakSet<TokenSet>()

/** Records that it is not known whether a renewal succeeded. */
export function noteUnanswered(tokens: TokenSet): void {
  unanswered.add(tokens)
}

/**
 * Reports a refused refresh token that another party may have used, and revokes all tokens of the login, so
 * that a copy cannot be used further.
 *
 * @see RFC 9700, section 4.14.2
 */
export async function reportReuse(
  session: GrantSession,
  tokens: TokenSet,
  error: unknown,
): Promise<void> {
  const { context } = session
  const evidence = evidenceOf(tokens, error, context.now())
  if (evidence === undefined) return
  const { issuer, client } = tokens
  const revoked = await revokeTokens(session, tokens).then(
    () => true,
    () => false,
  )
  context.signal.throwIfAborted()
  context.emit?.({
    type: 'refresh_reuse_suspected',
    issuer,
    clientId: client.clientId,
    grant: 'refresh_token',
    evidence,
    revoked,
  })
}

function evidenceOf(
  tokens: TokenSet,
  error: unknown,
  now: number,
): 'server' | 'history' | undefined {
  if (unanswered.has(tokens)) return undefined
  if (saysReuse(descriptionOf(error))) return 'server'
  // A token that was unused for longer may simply have expired.
  const isEarly = tokens.expiresAt !== undefined && now < tokens.expiresAt
  return tokens.rotated === true && isEarly ? 'history' : undefined
}

/** Whether the description of a refusal reports reuse. Nothing else depends on a description. */
function saysReuse(description: string): boolean {
  return /\b(?:re-?used?|replay(?:ed)?|already (?:been )?(?:used|redeemed|consumed|rotated)|stale)\b/i.test(
    description,
  )
}

function descriptionOf(error: unknown): string {
  return endpointErrorOf(error)?.details.serverDescription ?? ''
}
