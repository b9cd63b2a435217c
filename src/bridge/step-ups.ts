/**
 * Reports the login that a server requires for further scopes, for every affected request.
 *
 * @module
 */
import { isCredentialError, type LoginRequiredError } from '../errors.ts'
import { scopeCovers } from '../scope.ts'
import { drain } from '../transport/drain.ts'
import { parseChallenges } from '../www-authenticate.ts'

type Send = (input: string | URL, init?: RequestInit) => Promise<Response>

/**
 * Throws the login error for each 403 with `insufficient_scope`: the manager asks its provider only once,
 * and passes later responses through.
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
    const scope = response.status === 403 ? requiredScope(response) : undefined
    if (latest === undefined || scope === undefined) return response
    if (!scopeCovers(latest.scope, scope)) return response
    drain(response)
    throw latest
  }
}

/** The scopes in a 403 response (RFC 6750, section 3.1). */
function requiredScope({ headers }: Response): string | undefined {
  const challenge = parseChallenges(headers.get('WWW-Authenticate')).find(
    ({ parameters }) => parameters.get('error') === 'insufficient_scope',
  )
  return challenge?.parameters.get('scope')
}
