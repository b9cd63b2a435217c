/**
 * The parts that a manager is composed of. Each owns its state.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { resourceLabel } from '../labels.ts'
import { monotonicClock, ServerClock } from './clock.ts'
import { Failures } from './failures.ts'
import { Held } from './held.ts'
import { Lane } from './lane.ts'
import type { ResolvedOptions } from './options.ts'
import { Refusals } from './refusals.ts'
import { Reporter } from './reporter.ts'
import { ScopeLadder } from './scope-ladder.ts'
import { Source } from './source.ts'

/** The parts of one manager. */
export interface ManagerParts {
  readonly provider: CredentialProvider
  readonly options: ResolvedOptions
  /** The key of the selector that chose the provider, where there is one. */
  readonly tenant: string | undefined
  /** The monotonic clock for pauses, in milliseconds. */
  readonly clock: () => number
  readonly serverClock: ServerClock
  readonly reporter: Reporter
  readonly held: Held
  readonly lane: Lane
  readonly failures: Failures
  readonly refusals: Refusals
  readonly scopes: ScopeLadder
  readonly source: Source
}

/** Composes the parts of one manager. */
export function createParts(
  provider: CredentialProvider,
  options: ResolvedOptions,
  tenant: string | undefined,
): ManagerParts {
  const { resource, now, random, onEvent } = options
  const label = resourceLabel(resource)
  const account = options.account === 'default' ? undefined : options.account
  const origin = { resource: label, provider: provider.name, tenant, account }
  const reporter = new Reporter(origin, now, onEvent)
  const clock = monotonicClock(now, now !== Date.now)
  const serverClock = new ServerClock((correction) =>
    reporter.emit({ type: 'clock_offset', ...correction }),
  )
  return {
    provider,
    options,
    tenant,
    clock,
    serverClock,
    reporter,
    held: new Held(),
    lane: new Lane(),
    failures: new Failures(clock, random),
    refusals: new Refusals(clock, Math.max(1, provider.alternatives ?? 1)),
    scopes: new ScopeLadder(clock),
    source: new Source(provider, options, tenant, serverClock, reporter),
  }
}
