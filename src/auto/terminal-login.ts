/**
 * The login of the user at a terminal.
 *
 * @module
 */
import type { authorizationCode } from '../oauth/authorization-code.ts'
import type { Choice, RegisteredClient, Unavailable } from './choice.ts'

/** The parts of a process that this module reads. */
export type Terminal = Pick<NodeJS.Process, 'env'> & {
  readonly stdin: { readonly isTTY?: boolean }
  readonly stderr: { readonly isTTY?: boolean }
}

/**
 * Offers a login if the process has a terminal and does not run in CI.
 *
 * @param client - The client of the config entry; without it, a client is registered.
 */
export async function loginAtTerminal(
  client: RegisteredClient = {},
  { stdin, stderr, env }: Terminal = process,
  load: () => Promise<typeof authorizationCode> = loadGrant,
): Promise<Choice | Unavailable> {
  if (stdin.isTTY !== true || stderr.isTTY !== true || (env['CI'] ?? '') !== '') {
    return { reason: 'there is no terminal' }
  }
  const { clientId, callbackPort, scope } = client
  const redirectUri = `http://localhost:${callbackPort}/callback`
  const grant = await load()
  return {
    source: 'login',
    detail: 'login with a browser',
    provider: grant({
      ...(clientId === undefined ? {} : { clientId }),
      ...(callbackPort === undefined ? {} : { redirectUri }),
      ...(scope === undefined ? {} : { scope }),
    }),
  }
}

async function loadGrant(): Promise<typeof authorizationCode> {
  return (await import('../oauth/authorization-code.ts')).authorizationCode
}
