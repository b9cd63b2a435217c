/**
 * A model of the whole life of the library: random stories of calls, answers, failures, clocks and idling,
 * on virtual time. Each story ends with a healthy world, in which everything must work and then end.
 *
 * To replay a failure, copy `seed` and `path` from its message:
 *
 *     LIFE_SEED=101 LIFE_PATH=237:2:2 npx vitest run --config test/vitest.config.ts --project unit test/lifecycle/life.test.ts
 *
 * `LIFE_SEED=random` plays other stories; `LIFE_RUNS` is their number (default 1500). `LIFE_IGNORE` is a regular expression: violations that
 * match it are not counted, to find out what else is wrong. The message shows the shortest story found: what
 * was done (`--`), what happened, and the violation.
 *
 * | promise | checked by |
 * |---|---|
 * | every call settles, aborted ones at once, and all soon after `close()` | `checkOpenCalls`, `checkOpen` |
 * | a single-use grant is sent once, by an acquisition that is wanted, and not aborted | `checkRedemption`, `checkLock` |
 * | nothing is sent after `close()`, and nothing of an earlier session after `logout()` | `checkSent`, `checkApplied`, `checkWritten`, `checkStart` |
 * | nothing that was stored is redeemed or written by anybody after a logout | `checkRedemption`, `checkWritten` |
 * | what arrives for a grant that was sent before a logout is revoked | `checkRevoked` |
 * | no expired or refused credential is used while a new one can be had | `checkApplied`, pauses in `checkEvent` |
 * | acquisitions are bounded, and made for callers that are there | `checkRate`, `checkSettled`, `checkStart` |
 * | a renewal in the background never asks the user; a login does | `checkStart`, `checkSettled` |
 * | nobody is asked to log in more than a few times in ten minutes who did not call `login()` | `checkLogin` |
 * | a registration is dropped by the logout that is to, and by no other | `checkForgotten`, `checkDropped` |
 * | scopes are asked for when needed, at most three times, and kept | `scope-invariants.ts` |
 * | an answer that came while the process was stopped counts | `checkSettled` after `freeze` |
 * | every manager is closed in the end; no timer and no listener is left | `checkManagers`, `checkKept`, `end` |
 * | requests succeed again once everything else works | `checkRecovery` |
 * | no unhandled rejection and no warning | `life.test.ts` |
 */
import fc from 'fast-check'
import { afterEach, beforeEach, test } from 'vitest'
import { stories } from './operations.ts'
import { play, playing } from './play.ts'
import { violate } from './types.ts'

const runs = Number(process.env['LIFE_RUNS'] ?? 1500)
/** The same stories in every check, so that a failure is the change's; `random` looks for others. */
const { LIFE_SEED: seed = '20261121' } = process.env
const path = process.env['LIFE_PATH']

type Report = (problem: unknown) => void

let others: Report[] = []
const onRejection: Report = (problem) => {
  if (playing !== undefined) violate(playing, `unhandled rejection: ${String(problem)}`)
}
const onWarning: Report = (warning) => {
  if (playing !== undefined) violate(playing, `warning: ${String(warning)}`)
}

// A story that ends in an unhandled rejection fails by its own message, and can be shortened.
beforeEach(() => {
  others = process.listeners('unhandledRejection') as Report[]
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', onRejection)
  process.on('warning', onWarning)
})
afterEach(() => {
  process.off('unhandledRejection', onRejection)
  process.off('warning', onWarning)
  for (const each of others) process.on('unhandledRejection', each)
})

test('whatever happens in whatever order, the promises of the library hold', async () => {
  await fc.assert(fc.asyncProperty(stories, play), {
    numRuns: runs,
    ...(seed === 'random' ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  })
}, 600_000)
