/**
 * What a server's wish for further scopes takes, for every request that meets it.
 *
 * @module
 */
import { isCredentialError, type LoginRequiredError } from '../errors.ts'
import { scopeCovers } from '../scope.ts'
import { drain } from '../transport/drain.ts'
import { parseChallenges } from '../www-authenticate.ts'

type Send = (input: string | URL, init?: RequestInit) => Promise<Response>

/**
 * Throws the error that says which login a server asks for in place of each 403 with `insufficient_scope`: the
 * credential's manager asks its provider once, and hands later answers on as they are.
 */
export function withStepUps(): (send: Send) => Send {
  let latest: LoginRequiredError | undefined
  return (send) => async (input, init) => {
    let response: Response
    try {
      response = await send(input, init)
    } catch (error) {
      if (isCredentialError(error, 'login_required') && error.reason === 'step_up') latest = error
      throw error
    }
    const scope = response.status === 403 ? wantedScope(response) : undefined
    if (latest === undefined || scope === undefined) return response
    if (!scopeCovers(latest.scope, scope)) return response
    drain(response)
    throw latest
  }
}

/** The scopes that a 403 names (RFC 6750, section 3.1). */
function wantedScope({ headers }: Response): string | undefined {
  const challenge = parseChallenges(headers.get('WWW-Authenticate')).find(
    ({ parameters }) => parameters.get('error') === 'insufficient_scope',
  )
  return challenge?.parameters.get('scope')
}
