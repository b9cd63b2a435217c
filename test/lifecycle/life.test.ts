import fc from 'fast-check'
import { afterEach, beforeEach, test } from 'vitest'
import { stories } from './operations.ts'
import { play, playing } from './play.ts'
import { violate } from './types.ts'

const runs = Number(process.env['LIFE_RUNS'] ?? 1500)
const seed = process.env['LIFE_SEED']
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

/** To see one again: LIFE_SEED and LIFE_PATH of the message; for a longer search: LIFE_RUNS. */
test('whatever happens in whatever order, the promises of the library hold', async () => {
  await fc.assert(fc.asyncProperty(stories, play), {
    numRuns: runs,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  })
}, 600_000)
