/**
 * A model of what `auto()` chooses while keys are stored and deleted, and a config file appears, changes and goes.
 *
 *     SOURCES_SEED=101 SOURCES_PATH=237:2:2 npx vitest run --config test/vitest.config.ts --project unit test/lifecycle/sources.test.ts
 *
 * `SOURCES_SEED=random` plays other stories; `SOURCES_RUNS` is their number.
 *
 * | promise | checked by |
 * |---|---|
 * | whoever chooses anew takes the config's entry, then what is stored, and nothing of a file that is not trusted | `checkFirst` |
 * | nobody is sent instead of somebody else whose credential is still there, also when the server refuses it | `serve` |
 * | the event of the choice says what is sent, also when that is nothing | `serve`, `serveWithout` |
 * | a question whether the server wants a credential holds none | `probed` |
 * | what is stored or configured while nothing is sent, is sent within a minute | `overdueOf` |
 * | what a logout gave up is not sent again | `serve` |
 * | a logout from what the config says leaves alone what is stored | `logOut` |
 */
import fc from 'fast-check'
import { test } from 'vitest'
import { playSources, sourceStories } from './sources.ts'

const runs = Number(process.env['SOURCES_RUNS'] ?? 200)
const { SOURCES_SEED: seed = '20261122' } = process.env
const path = process.env['SOURCES_PATH']

test('whatever changes, auto() sends what it said, and nobody in place of somebody else', async () => {
  await fc.assert(fc.asyncProperty(sourceStories, playSources), {
    numRuns: runs,
    ...(seed === 'random' ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  })
}, 300_000)
