import { cpus } from 'node:os'
import type { Figure } from './rounds.ts'

/** A row: its name, and a cell for each further column. */
export type Row = readonly [name: string, ...cells: string[]]

/** A bar of a picture. */
export interface Bar {
  readonly name: string
  readonly value: number
  /** What is written beside the bar. Default the value. */
  readonly label?: string
  /** Whether it is one of this library's. */
  readonly own?: boolean
}

/** Bars side by side, in groups where there is more than one of them. */
export interface BarChart {
  readonly kind: 'bars'
  readonly alt: string
  readonly unit: string
  readonly groups: readonly { readonly name?: string; readonly bars: readonly Bar[] }[]
}

/** How something grows; both axes are logarithmic. */
export interface LineChart {
  readonly kind: 'lines'
  readonly alt: string
  readonly unit: string
  readonly xs: readonly number[]
  readonly xName: string
  readonly lines: readonly {
    readonly name: string
    readonly own?: boolean
    readonly values: readonly number[]
  }[]
}

/** One table of a section, and the picture that goes with it. */
export interface Table {
  /** Names the picture. */
  readonly id: string
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
  readonly chart?: BarChart | LineChart
}

/** What a run of a section left: its tables, and what they were measured with. */
export interface Measurement {
  readonly section: string
  /** The day, as an ISO date. */
  readonly date: string
  readonly environment: string
  readonly versions: Readonly<Record<string, string>>
  readonly tables: readonly Table[]
}

/** What the figures were measured on. */
export function environment(): string {
  const [cpu] = cpus()
  return `Node ${process.versions.node}, ${cpus().length} × ${cpu?.model.trim() ?? 'unknown CPU'}`
}

/** Whether a name is one of this library's: it is written like its functions. */
export const isOwn = (name: string): boolean =>
  /^(mcp-credentials|await credential|current|bearer|apiKey|jwt|hmac|httpSignature)\b/.test(name)

/** A number with as many digits as a reader can use. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size > 0 && size < 0.1) return value.toPrecision(2)
  return value.toFixed(size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : 2)
}

/** A table of what was measured in rounds; the first row is what the others are compared with. */
export function figureTable(
  { id, title, unit, alt }: { id: string; title: string; unit: string; alt: string },
  figures: readonly Figure[],
): Table {
  const base = figures[0]?.minimum ?? Number.NaN
  const best = Math.min(...figures.map(({ minimum }) => minimum))
  const rows = figures.map(({ name, minimum, median }): Row => {
    const shown = minimum === best ? `**${short(minimum)}**` : short(minimum)
    return [name, shown, short(median), (minimum / base).toFixed(2)]
  })
  const bars = figures.map(({ name, minimum }) => ({ name, value: minimum, own: isOwn(name) }))
  return {
    id,
    title,
    columns: [`${unit}, minimum`, 'median', 'ratio of minima'],
    rows,
    chart: { kind: 'bars', alt, unit, groups: [{ bars }] },
  }
}

/** A table as Markdown, without its title. */
export function markdown({ columns, rows }: Pick<Table, 'columns' | 'rows'>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const head = line(['', ...columns]).replace('|  |', '| |')
  return [head, `|---|${columns.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}
