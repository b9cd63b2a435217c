import { cpus } from 'node:os'

/** Something to be measured: runs `times` times. */
export interface Candidate {
  readonly name: string
  run(times: number): Promise<void>
}

export interface Figure {
  readonly name: string
  readonly minimum: number
  readonly median: number
}

/**
 * Measures candidates in turns, in an order that changes from round to round, so that a machine that
 * slows down slows all of them.
 *
 * @returns Nanoseconds for one time.
 */
export async function measure(
  candidates: readonly Candidate[],
  rounds: number,
  times: number,
): Promise<Figure[]> {
  const samples = candidates.map(() => [] as number[])
  for (const candidate of candidates) await candidate.run(times)
  for (let round = 0; round < rounds; round += 1) {
    for (let step = 0; step < candidates.length; step += 1) {
      const index = (round + step) % candidates.length
      const start = process.hrtime.bigint()
      await candidates[index]?.run(times)
      samples[index]?.push(Number(process.hrtime.bigint() - start) / times)
    }
  }
  return candidates.map(({ name }, index) => {
    const sorted = (samples[index] ?? []).sort((left, right) => left - right)
    const middle = Math.floor(sorted.length / 2)
    return { name, minimum: sorted[0] ?? Number.NaN, median: sorted[middle] ?? Number.NaN }
  })
}

/** What the figures were measured on. */
export function environment(): string {
  const [cpu] = cpus()
  return `Node ${process.versions.node}, ${cpus().length} × ${cpu?.model ?? 'unknown CPU'}`
}

/** Prints a table; the first row is what the others are compared with. */
export function print(title: string, unit: string, rows: readonly Figure[], digits = 2): void {
  const base = rows[0]
  console.log(`\n${title}\n`)
  console.log(`| | ${unit}, minimum | median | added (minimum) | ratio (minimum) |`)
  console.log('|---|---|---|---|---|')
  for (const { name, minimum, median } of rows) {
    const added = base === undefined ? 0 : minimum - base.minimum
    const ratio = base === undefined ? 1 : minimum / base.minimum
    console.log(
      `| ${name} | ${minimum.toFixed(digits)} | ${median.toFixed(digits)} | ${added.toFixed(digits)} | ${ratio.toFixed(3)} |`,
    )
  }
}
