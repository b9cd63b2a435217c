import { version } from 'esbuild'
import { described } from '../runtimes/binary.ts'
import { type Bundler, bundlers } from '../runtimes/bundlers.ts'
import {
  type Bundled,
  bundled,
  programs,
  projectToBundle,
  type Weight,
} from '../runtimes/bundles.ts'
import { openWorkshop } from '../runtimes/installed.ts'
import type { Row, Table } from './report.ts'

/** How large a program of few lines becomes, with each bundler. */
export async function benchBundles(): Promise<Table[]> {
  await using workshop = await openWorkshop()
  const project = await projectToBundle(workshop)
  const sizes = new Map<string, Map<string, Bundled>>(programs.map(({ name }) => [name, new Map()]))
  for (const { name, open } of bundlers) {
    const bundle = await open()
    for (const program of programs) {
      sizes.get(program.name)?.set(name, await bundled(bundle, project, program, name))
    }
  }
  const kilobytes = ({ bytes, gzip }: Weight) =>
    `${(gzip / 1000).toFixed(1)} (${(bytes / 1000).toFixed(0)})`
  const cell = ({ atOnce, onDemand }: Bundled) =>
    onDemand.bytes === 0 ? kilobytes(atOnce) : `${kilobytes(atOnce)}, then ${kilobytes(onDemand)}`
  const rows = programs.map((program): Row => {
    const all = sizes.get(program.name)
    const cells = bundlers.map(({ name }) => {
      const found = all?.get(name)
      return found === undefined ? '–' : cell(found)
    })
    return [program.name, ...cells]
  })
  const title =
    'A bundle for browsers, minified: kB compressed (uncompressed), and what is loaded when it is needed'
  return [{ id: 'bundles', title, columns: bundlers.map(versionOf), rows }]
}

const versionOf = ({ name }: Bundler): string =>
  name === 'esbuild' ? `esbuild ${version}` : described(name)
