/**
 * Measures, and prints tables: `npm run bench -- [--quick] [--write] [SECTION …]`. With `--write` it records the
 * figures in `docs/performance`, and writes the tables and pictures of the guides.
 *
 * @module
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { record, writeGuides } from './page.ts'
import { environment, type Measurement, markdown } from './report.ts'
import { sections } from './sections.ts'
import { versions } from './versions.ts'

/** No section takes that long, not even on a slow machine. */
const limitMs = 300_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** A short run, which shows that the sections work. */
    quick: { type: 'boolean', default: false },
    /** Writes what was measured into the guides. */
    write: { type: 'boolean', default: false },
    /** Writes the guides from what was measured before. */
    render: { type: 'boolean', default: false },
    /** Where a process leaves the tables of its section. */
    result: { type: 'string' },
  },
})

/** Runs a section in this process. */
async function run(name: string, file: string): Promise<never> {
  const tables = (await sections[name]?.()) ?? []
  const date = new Date().toISOString().slice(0, 10)
  const measured = { section: name, date, environment: environment(), versions: versions(), tables }
  writeFileSync(file, JSON.stringify(measured))
  // What was measured may have left servers and timers behind.
  process.exit()
}

/** Runs a section in a process of its own: what others left behind would slow it down. */
function runAlone(name: string): Measurement | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  const file = join(folder, 'result.json')
  const quick = values.quick ? ['--quick'] : []
  const main = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, main, name, '--result', file, ...quick]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', timeout: limitMs })
  const text = status === 0 ? readFileSync(file, 'utf8') : undefined
  rmSync(folder, { recursive: true })
  if (text !== undefined) return JSON.parse(text) as Measurement
  console.error(`\nThe section ${name} failed; its tables are those of an earlier run.`)
  process.exitCode = 1
  return undefined
}

function runAll(names: readonly string[]): void {
  const described = Object.entries(versions()).map(([name, version]) => `${name} ${version}`)
  console.log(`mcp-credentials benchmark: ${environment()}\n${described.join(', ')}`)
  for (const name of names) {
    const start = performance.now()
    const measured = runAlone(name)
    for (const table of measured?.tables ?? []) {
      console.log(`\n${table.title}\n\n${markdown(table)}`)
    }
    console.log(`\n(${name}: ${((performance.now() - start) / 1000).toFixed(0)} s)`)
    if (values.write && measured !== undefined) record(measured)
  }
  if (values.write) writeGuides()
}

const unknown = positionals.filter((name) => !Object.hasOwn(sections, name))
if (unknown.length > 0) {
  const all = Object.keys(sections).join(', ')
  throw new Error(`There is no section ${unknown.join(', ')}; the sections are ${all}.`)
}
if (values.quick && values.write)
  throw new Error('The figures of a quick run are not for the guides.')
if (values.render) writeGuides()
else if (values.result !== undefined) await run(positionals[0] ?? '', values.result)
else runAll(positionals.length > 0 ? positionals : Object.keys(sections))
