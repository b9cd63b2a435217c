import { described } from '../runtimes/binary.ts'
import { type Bundler, bundlers } from '../runtimes/bundlers.ts'
import { type Bundled, bundled, programs, projectToBundle } from '../runtimes/bundles.ts'
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
  const kilobytes = (bytes = Number.NaN) => (bytes / 1000).toFixed(1)
  const rows = programs.map((program): Row => {
    const all = sizes.get(program.name)
    const cells = bundlers.map(({ name }) => {
      const { bytes, gzip } = all?.get(name) ?? {}
      return `${kilobytes(gzip)} (${kilobytes(bytes)})`
    })
    return [program.name, ...cells]
  })
  const title = 'A bundle for browsers, minified: kB compressed (uncompressed)'
  return [{ id: 'bundles', title, columns: bundlers.map(versionOf), rows }]
}

const versionOf = ({ name }: Bundler): string => (name === 'esbuild' ? 'esbuild' : described(name))
