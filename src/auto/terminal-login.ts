/**
 * The login of a person who sits at the terminal.
 *
 * @module
 */
import type { authorizationCode } from '../oauth/authorization-code.ts'
import type { Choice, Nothing, RegisteredClient } from './choice.ts'

/** What is looked at of a process. */
export type Terminal = Pick<NodeJS.Process, 'env'> & {
  readonly stdin: { readonly isTTY?: boolean }
  readonly stderr: { readonly isTTY?: boolean }
}

/**
 * A person is asked where there is one: at a terminal, and not in a pipeline.
 *
 * @param client - What the config says about the client; without it, one is registered.
 */
export async function loginAtTerminal(
  client: RegisteredClient = {},
  { stdin, stderr, env }: Terminal = process,
  load: () => Promise<typeof authorizationCode> = loadGrant,
): Promise<Choice | Nothing> {
  if (stdin.isTTY !== true || stderr.isTTY !== true || (env['CI'] ?? '') !== '') {
    return { nothing: 'there is no terminal' }
  }
  const { clientId, callbackPort, scope } = client
  const redirectUri = `http://localhost:${callbackPort}/callback`
  const grant = await load()
  return {
    source: 'login',
    detail: 'a person logs in with a browser',
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
