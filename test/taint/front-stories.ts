/** Stories of the newest parts: `auto()`, config files, stored keys, bridges, web logins, the command line. */
import fc from 'fast-check'
import { configurations, fronts, loginBridge } from './configuration.ts'
import { frontOperation } from './front-operations.ts'
import { guise, issuer, type Operation, resourceChange, type Story, single } from './operations.ts'
import { entryKinds, type Settings } from './surroundings.ts'

const entry = fc.constantFrom(...entryKinds)

const settings: fc.Arbitrary<Settings> = fc.record({
  entries: fc.record({ notes: entry, wiki: entry }),
  environment: fc.constantFrom(undefined, undefined, 'staging' as const),
  project: fc.constantFrom(
    'none' as const,
    'none' as const,
    'untrusted' as const,
    'trusted' as const,
    'changed' as const,
  ),
  key: fc.constantFrom('made' as const, 'a variable' as const, 'a file' as const),
})

const send = (who: number): Operation => ({ do: 'request', who, to: 'its server', waits: true })

/** Two bridges of two servers, each with its own key, beside each other. */
const neighbours = fc
  .tuple(fronts, fronts)
  .map(([one, other]): Operation[] => [
    { do: 'restart', who: 0, config: { ...one, form: 'bridge', resource: 'notes', binds: false } },
    { do: 'restart', who: 1, config: { ...other, form: 'bridge', resource: 'wiki', binds: false } },
    send(0),
    send(1),
    send(0),
    send(1),
  ])

/** Several bridges on one login whose refresh token rotates; one of them is started again in the middle. */
const shared = fc
  .record({ rounds: fc.integer({ min: 1, max: 3 }), restarts: fc.constantFrom(0, 1) })
  .map(({ rounds, restarts }): Operation[] => [
    { do: 'user', manner: 'logs in' },
    { do: 'names', resource: 'notes', issuer: 'honest' },
    { do: 'restart', who: 0, config: loginBridge },
    { do: 'restart', who: 1, config: loginBridge },
    send(0),
    send(1),
    ...Array.from({ length: rounds }, (): Operation[] => [
      { do: 'advance', seconds: 1000 },
      { do: 'request', who: 0, to: 'its server', waits: false },
      { do: 'request', who: 1, to: 'its server', waits: false },
      { do: 'restart', who: restarts, config: undefined },
      send(restarts),
    ]).flat(),
  ])

const part: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  { weight: 12, arbitrary: single.map((one) => [one]) },
  { weight: 8, arbitrary: fc.constantFrom(0, 0, 0, 1).map((who) => [send(who)]) },
  { weight: 6, arbitrary: frontOperation.map((one) => [one]) },
  { weight: 1, arbitrary: neighbours },
  { weight: 1, arbitrary: shared },
  {
    weight: 2,
    arbitrary: resourceChange.map((change): Operation[] => [change, send(0), send(1)]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1), fronts)
      .map(([who, config]): Operation[] => [
        { do: 'restart', who, config },
        ...(config.kind === 'webLogin' ? [{ do: 'login' as const, who, waits: true }] : []),
        send(who),
      ]),
  },
)

export const frontStories: fc.Arbitrary<Story> = fc.record({
  store: fc.constantFrom('memory' as const, 'memory' as const, 'default' as const),
  machine: settings,
  main: fronts,
  peer: fc.oneof(fronts, configurations),
  names: issuer,
  guise: fc.option(guise, { nil: undefined }),
  operations: fc.array(part, { minLength: 4, maxLength: 16 }).map((parts) => parts.flat()),
})
