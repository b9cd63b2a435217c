import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drawBars, drawLines } from './charts.ts'
import { type Measurement, markdown, type Table } from './report.ts'

const docs = new URL('../../docs/', import.meta.url)
const records = new URL('performance/', docs)
const pictures = new URL('pictures/', docs)
const guides = ['guides/performance.md', 'guides/platforms.md'].map((path) => new URL(path, docs))

/** Keeps what was measured, until the section is measured again. */
export function record(measured: Measurement): void {
  mkdirSync(records, { recursive: true })
  const file = new URL(`${measured.section}.json`, records)
  writeFileSync(file, `${JSON.stringify(measured, undefined, 2)}\n`)
}

/** What was measured last, of each section. */
export function recorded(): Measurement[] {
  const files = readdirSync(records).filter((name) => name.endsWith('.json'))
  return files
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, records), 'utf8')) as Measurement)
}

const pictureOf = ({ id }: Table) => `performance-${id}.svg`

/** A table as a guide shows it: its title, its picture, its figures. */
function blockOf(table: Table): string {
  const { title, chart } = table
  const picture = chart === undefined ? [] : [`![${chart.alt}](../pictures/${pictureOf(table)})`]
  return [`**${title}**`, ...picture, markdown(table)].join('\n\n')
}

/** What all was measured with: most sections alike, so that each way is described once. */
export function conditions(all: readonly Measurement[]): string {
  const ways = new Map<string, string[]>()
  for (const { section, date, environment, versions } of all) {
    const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
    const way = `Measured on ${date} with ${environment}: ${packages.join(', ')}.`
    ways.set(way, [...(ways.get(way) ?? []), section])
  }
  const described = [...ways].sort(([, left], [, right]) => right.length - left.length)
  const lines = described.map(([way, names], index) =>
    index === 0 ? way : `${way.replace('Measured', `Sections ${names.join(', ')}: measured`)}`,
  )
  return lines.join('\n\n')
}

const markers = /(<!-- bench:([\w-]+) -->\n)[\s\S]*?(<!-- end -->)/g

/** Puts what was measured between the markers of a guide; what was not measured stays, and is named. */
export function filled(text: string, all: readonly Measurement[]): string {
  const shown = [...text.matchAll(markers)].map(([, , name]) => name)
  const used = all.filter(({ section }) => shown.includes(section))
  if (used.length === 0) return text
  const blocks = new Map(
    used.map(({ section, tables }) => [section, tables.map(blockOf).join('\n\n')]),
  )
  const older = shown.filter((name) => name !== 'conditions' && !blocks.has(name ?? ''))
  const rest = older.length === 0 ? '' : `\n\nFrom an earlier run: ${older.join(', ')}.`
  blocks.set('conditions', `${conditions(used)}${rest}`)
  return text.replace(markers, (whole: string, begin: string, name: string, end: string) => {
    const block = blocks.get(name)
    return block === undefined ? whole : `${begin}\n${block}\n\n${end}`
  })
}

/** Writes tables and pictures from what was measured last. */
export function writeGuides(): void {
  const all = recorded()
  for (const name of readdirSync(pictures)) {
    if (name.startsWith('performance-')) rmSync(new URL(name, pictures))
  }
  for (const table of all.flatMap(({ tables }) => tables)) {
    const { chart, title } = table
    if (chart === undefined) continue
    const drawn = chart.kind === 'bars' ? drawBars(title, chart) : drawLines(title, chart)
    writeFileSync(new URL(pictureOf(table), pictures), drawn)
  }
  for (const guide of guides) {
    writeFileSync(guide, filled(readFileSync(guide, 'utf8'), all))
    console.log(`Wrote ${fileURLToPath(guide)}.`)
  }
}
