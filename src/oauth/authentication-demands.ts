/**
 * MCP servers that want the user to log in more strongly, or again (step-up authentication).
 *
 * @module
 */
import type { AcquireContext, Challenge } from '../credential.ts'
import { RateWindow } from '../rate-window.ts'

/** A list of authentication contexts is shorter; texts of thousands of characters are an attack. */
const maxLength = 1000

/** What a challenge asks of the next login. */
export interface AuthenticationDemand {
  /** Parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>
  readonly challenge: Challenge
}

/**
 * The demands that one provider has seen. A demand counts until a login has met it, and then no longer. It leads
 * to three logins within ten minutes at most; after that it is ignored, and the caller sees the server's answer.
 *
 * @see RFC 9470, sections 3 and 4
 */
export class AuthenticationDemands {
  readonly #met = new WeakSet<Challenge>()
  readonly #logins = new Map<string, RateWindow>()

  /** What the server demands of the next login; `undefined`: nothing, or it has done so too often. */
  of(context: AcquireContext): AuthenticationDemand | undefined {
    if (context.reason !== 'rejected' && context.reason !== 'missing') return undefined
    const challenge = context.challenges.find(
      ({ parameters }) => parameters.get('error') === 'insufficient_user_authentication',
    )
    if (challenge === undefined || this.#met.has(challenge)) return undefined
    if (this.#loginsAt(context).isFull(context.now())) return undefined
    return { challenge, parameters: parametersOf(challenge) }
  }

  /** A login begins. */
  begin(context: AcquireContext): void {
    const logins = this.#loginsAt(context)
    logins.add(context.now())
    this.#logins.set(context.resource.href, logins)
  }

  /** A login has succeeded. */
  met({ challenge }: AuthenticationDemand): void {
    this.#met.add(challenge)
  }

  #loginsAt({ resource }: AcquireContext): RateWindow {
    return this.#logins.get(resource.href) ?? new RateWindow()
  }
}

/** The demand in the words of an authorization request (RFC 9470, section 4). */
function parametersOf({ parameters }: Challenge): Record<string, string> {
  const contexts = parameters.get('acr_values') ?? ''
  const maxAge = parameters.get('max_age') ?? ''
  const isList = contexts.length <= maxLength && /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(contexts)
  return {
    ...(isList ? { acr_values: contexts } : {}),
    ...(/^\d{1,9}$/.test(maxAge) ? { max_age: maxAge } : {}),
  }
}
