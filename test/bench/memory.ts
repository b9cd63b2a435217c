import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bearer, withCredentials } from 'mcp-credentials'
import { figureTable, type Row, type Table } from './report.ts'
import { effort, figure, inRounds } from './rounds.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const resource = 'https://mcp.example.com/mcp'

/** What a process takes that has loaded a package, and whether requests leave anything behind. */
export async function benchMemory(): Promise<Table[]> {
  return [await residentTable(), await heapTable()]
}

async function residentTable(): Promise<Table> {
  const modules: Readonly<Record<string, readonly string[]>> = {
    'an empty module': [],
    'mcp-credentials': ['mcp-credentials'],
    'mcp-credentials, ./oauth': ['mcp-credentials', 'mcp-credentials/oauth'],
    'SDK 1.x, client': ['@modelcontextprotocol/sdk/client/streamableHttp.js'],
    'SDK 2.x, client': ['@modelcontextprotocol/client'],
    'google-auth-library': ['google-auth-library'],
    '@azure/core-rest-pipeline': ['@azure/core-rest-pipeline'],
  }
  const candidates = Object.entries(modules).map(([name, loaded]) => ({ name, loaded }))
  const samples = await inRounds(candidates, effort(7, 1), ({ loaded }) => residentSize(loaded))
  const figures = samples.map((each) => figure(each.name, each.samples))
  const title = 'Memory of a process that has loaded a package'
  const alt =
    'The resident memory of a process that has loaded this library, or another, and nothing else.'
  return figureTable({ id: 'memory', title, unit: 'MB', alt }, figures)
}

/** In megabytes, after a collection of garbage. */
async function residentSize(modules: readonly string[]): Promise<number> {
  const imports = modules.map((module) => `import ${JSON.stringify(module)}`)
  const source = [...imports, 'gc()', 'console.log(process.memoryUsage().rss / 1048576)'].join(';')
  const args = ['--expose-gc', '--input-type=module', '-e', source]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  return Number(stdout)
}

/** Whether anything is left in memory after many requests. */
async function heapTable(): Promise<Table> {
  const fetch = withCredentials(bearer('token'), { fetch: async () => new Response(null) }).fetch
  const count = effort(100_000)
  const used = async () => {
    for (let request = 0; request < count; request += 1) await fetch(resource)
    return heapSize()
  }
  // The first requests fill caches of the runtime.
  await used()
  const rows: Row[] = []
  let before = heapSize()
  for (const round of [1, 2, 3]) {
    const after = await used()
    rows.push([`${round * count} requests`, ((after - before) / 1024).toFixed(0)])
    before = after
  }
  const title = 'What requests leave on the heap'
  return { id: 'heap', title, columns: [`KB more than ${count} requests before`], rows }
}

/** What is used of the heap, in bytes, after a collection of garbage. */
export function heapSize(): number {
  const collect = (globalThis as { gc?: () => void }).gc ?? (() => {})
  collect()
  collect()
  return process.memoryUsage().heapUsed
}
