/** Something to be measured: runs `times` times. */
export interface Candidate {
  readonly name: string
  run(times: number): Promise<void>
}

/** What was measured of a candidate. */
export interface Figure {
  readonly name: string
  readonly minimum: number
  readonly median: number
}

/** A short run, which shows that a section works; its figures say little. */
export const isQuick = process.argv.includes('--quick')

/** A number of rounds, or of anything else that only makes figures better. */
export const effort = (full: number, quick = Math.ceil(full / 10)): number =>
  isQuick ? quick : full

/** The same in another order. */
export function shuffled<T>(values: readonly T[]): T[] {
  const keyed = values.map((value) => ({ value, key: Math.random() }))
  return keyed.sort((left, right) => left.key - right.key).map(({ value }) => value)
}

/** The smallest and the middle one of what was measured. */
export function figure(name: string, samples: readonly number[], divisor = 1): Figure {
  const sorted = [...samples].sort((left, right) => left - right)
  const at = (index: number) => (sorted[index] ?? Number.NaN) / divisor
  return { name, minimum: at(0), median: at(Math.floor(sorted.length / 2)) }
}

/** Takes a sample of each, in an order that changes from round to round, so that a machine that slows down slows all. */
export async function inRounds<T extends { readonly name: string }>(
  candidates: readonly T[],
  rounds: number,
  sample: (candidate: T) => Promise<number>,
): Promise<readonly { readonly name: string; readonly samples: readonly number[] }[]> {
  const samples = new Map(candidates.map((candidate) => [candidate, [] as number[]]))
  for (let round = 0; round < rounds; round += 1) {
    for (const candidate of shuffled(candidates)) {
      samples.get(candidate)?.push(await sample(candidate))
    }
  }
  return candidates.map((each) => ({ name: each.name, samples: samples.get(each) ?? [] }))
}

/**
 * Measures candidates in rounds, each after a first run that is not counted.
 *
 * @returns The time for one run, in nanoseconds, or in that many of them which `divisor` names.
 */
export async function measure(
  candidates: readonly Candidate[],
  rounds: number,
  times: number,
  divisor = 1,
): Promise<Figure[]> {
  const count = effort(rounds)
  for (const candidate of candidates) await candidate.run(times)
  const all = await inRounds(candidates, count, async (candidate) => {
    const start = process.hrtime.bigint()
    await candidate.run(times)
    return Number(process.hrtime.bigint() - start) / times
  })
  return all.map(({ name, samples }) => figure(name, samples, divisor))
}

/** Work as a candidate. */
export function repeated(name: string, work: () => unknown): Candidate {
  return {
    name,
    async run(times) {
      for (let index = 0; index < times; index += 1) await work()
    },
  }
}
