/**
 * Step-up authentication: MCP servers that require a stronger or more recent login.
 *
 * @module
 */
import type { AcquireContext, Challenge } from '../credential.ts'
import { RateWindow } from '../rate-window.ts'

/** A list of authentication contexts is shorter; texts of thousands of characters are an attack. */
const maxLength = 1000

/** The requirements of a challenge for the next login. */
export interface AuthenticationDemand {
  /** Parameters of the authorization request. */
  readonly parameters: Readonly<Record<string, string>>
  readonly challenge: Challenge
}

/**
 * The demands that one provider has seen. A demand applies until a login has met it. It leads to at most
 * three logins within ten minutes; after that it is ignored, and the caller receives the server's response.
 *
 * @see RFC 9470, sections 3 and 4
 */
export class AuthenticationDemands {
  readonly #met = new WeakSet<Challenge>()
  readonly #logins = new Map<string, RateWindow>()

  /** The server's demand for the next login; `undefined`: none, or too many. */
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

/**
 * Returns the parameters of a login that meets a demand. The application's own parameters take precedence, or
 * any MCP server could make its logins weaker; but a server may require a more recent login.
 *
 * @param own - The application's own parameters.
 */
export function withDemand(
  demanded: Readonly<Record<string, string>>,
  own: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const ages = [own['max_age'], demanded['max_age']].filter((age) => /^\d+$/.test(age ?? ''))
  const isShorter = ages.length === 2 && Number(ages[1]) < Number(ages[0])
  return { ...demanded, ...own, ...(isShorter ? { max_age: String(ages[1]) } : {}) }
}

/** The demand as parameters of an authorization request (RFC 9470, section 4). */
function parametersOf({ parameters }: Challenge): Record<string, string> {
  const contexts = parameters.get('acr_values') ?? ''
  const maxAge = parameters.get('max_age') ?? ''
  const isList = contexts.length <= maxLength && /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(contexts)
  return {
    ...(isList ? { acr_values: contexts } : {}),
    ...(/^\d{1,9}$/.test(maxAge) ? { max_age: maxAge } : {}),
  }
}
