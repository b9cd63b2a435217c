/**
 * The requirements of servers for DPoP-bound tokens.
 *
 * @module
 */
import type { AcquireContext, Challenge } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import type { GrantSession } from './grant.ts'
import type { LocatedServer } from './server.ts'

/**
 * Checks that the options enable DPoP where the MCP server requires it.
 *
 * @throws `ConfigurationError` before anything is sent, since the tokens would be refused.
 * @see RFC 9449, section 7.1; RFC 9728, section 2
 */
export function checkDpopDemand({ name, context, server, dpop }: GrantSession): void {
  if (dpop !== undefined) return
  const schemes = new Set(challengesOf(context, server).map(({ scheme }) => scheme))
  const isChallenged = schemes.has('dpop') && !schemes.has('bearer')
  if (!server.requiresDpop && !isChallenged) return
  throw new ConfigurationError(
    `${name}.dpop`,
    `${name}: ${resourceLabel(context.resource)} accepts only tokens that are bound to a key (DPoP).`,
    { provider: name, resource: context.resource, remedy: 'Set `dpop: true`.' },
  )
}

/** The algorithms of proofs that the servers accept; `undefined`: they list none. */
export function demandedAlgorithms(
  context: Pick<AcquireContext, 'challenges'>,
  server: LocatedServer,
): readonly string[] | undefined {
  const challenge = challengesOf(context, server).find(({ scheme }) => scheme === 'dpop')
  const algorithms = challenge?.parameters.get('algs')?.split(' ')
  const { dpopAlgorithms } = server
  if (algorithms === undefined) return dpopAlgorithms
  return dpopAlgorithms?.filter((name) => algorithms.includes(name)) ?? algorithms
}

function challengesOf(
  { challenges }: Pick<AcquireContext, 'challenges'>,
  server: LocatedServer,
): readonly Challenge[] {
  return challenges.length > 0 ? challenges : server.challenges
}
