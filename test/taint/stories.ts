/** Whole stories, in random order: single operations, and sequences that belong together. */
import fc from 'fast-check'
import { configurations } from './configuration.ts'
import { guise, issuer, type Operation, type Story, single } from './operations.ts'
import { sequence } from './sequences.ts'

const part: fc.Arbitrary<readonly Operation[]> = fc.oneof(
  { weight: 24, arbitrary: single.map((one) => [one]) },
  { weight: 13, arbitrary: sequence },
)

export const stories: fc.Arbitrary<Story> = fc.record({
  store: fc.oneof(
    {
      weight: 10,
      arbitrary: fc.constantFrom('none' as const, 'memory' as const, 'memory' as const),
    },
    { weight: 1, arbitrary: fc.constant('file' as const) },
  ),
  main: configurations,
  peer: fc.option(configurations, { nil: undefined }),
  names: issuer,
  guise: fc.option(guise, { nil: undefined }),
  operations: fc.array(part, { minLength: 4, maxLength: 24 }).map((parts) => parts.flat()),
})
