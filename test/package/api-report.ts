/**
 * Writes what each entry of the package exports to `docs/api-report`, so that a change of it is seen in
 * review. With `--check` it writes nothing, and fails when the reports are not those of what was built.
 *
 * @module
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageEntries, readSurfaces, type Surface } from './api-surface.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = join(root, 'docs/api-report')
const entries = await packageEntries(root)
const surfaces = readSurfaces(entries)
const [core] = surfaces

const fileOf = ({ name }: Surface) => `${name === core?.name ? 'core' : basename(name)}.api.md`

/** The lines that are in one text only, each with a sign. */
function differences(before: string, after: string): string[] {
  const [old, fresh] = [before.split('\n'), after.split('\n')]
  const gone = old.filter((line) => !fresh.includes(line)).map((line) => `- ${line}`)
  const added = fresh.filter((line) => !old.includes(line)).map((line) => `+ ${line}`)
  const all = [...gone, ...added]
  return all.length === 0 ? ['  the order or the number of its lines'] : all
}

async function check(): Promise<void> {
  const wanted = new Map(surfaces.map((surface) => [fileOf(surface), surface]))
  const problems: string[] = []
  for (const [file, { name, report }] of wanted) {
    const written = await readFile(join(folder, file), 'utf8').catch(() => '')
    if (written === report) continue
    problems.push(`What ${name} exports has changed:`, ...differences(written, report), '')
  }
  for (const file of await readdir(folder).catch(() => [])) {
    if (!wanted.has(file)) problems.push(`docs/api-report/${file} belongs to no entry.`, '')
  }
  if (problems.length === 0) return
  console.error(problems.join('\n'))
  console.error('If that is what you want, run `npm run api` and commit docs/api-report.')
  process.exitCode = 1
}

async function write(): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  for (const surface of surfaces) await writeFile(join(folder, fileOf(surface)), surface.report)
}

if (process.argv.includes('--check')) await check()
else await write()

console.log('| entry | values | types | names |\n|---|---|---|---|')
const row = (name: string, values: number, types: number) =>
  console.log(`| ${name} | ${values} | ${types} | ${values + types} |`)
for (const { name, values, types } of surfaces) row(name, values.length, types.length)
const count = (list: 'values' | 'types') =>
  surfaces.reduce((sum, surface) => sum + surface[list].length, 0)
row('in total', count('values'), count('types'))
