/** Runs the clients of agent frameworks against a server whose tokens live for five seconds. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Run, runClient } from './run-client.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(here, { recursive: true, encoding: 'utf8' })
  .filter((path) => /^[^/\\]+[/\\](?!worker)[^/\\]+\.ts$/.test(path))
  .map((path) => path.replaceAll('\\', '/').replace(/(\/client)?\.ts$/, ''))
  .sort()
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', default: process.execPath },
    folder: { type: 'string' },
    record: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})

/** Packs this package, for all runs. */
function pack(folder: string): string {
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
  const output = execFileSync('npm', pack, { cwd: join(here, '../..'), encoding: 'utf8' })
  return join(folder, output.trim())
}

/** Writes what was measured beside what was measured before. */
function record(name: string, run: Run): void {
  const path = join(here, 'measured.json')
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as object) : {}
  const all = Object.entries({ ...before, [name]: run }).sort(([a], [b]) => a.localeCompare(b))
  writeFileSync(path, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`)
}

async function main(folder: string): Promise<void> {
  const tarball = pack(folder)
  const announce = values.verbose ? (line: string) => console.log(`  server: ${line}`) : () => {}
  for (const name of positionals) {
    const [framework = '', client = 'client'] = name.split('/')
    const options = { client: `${client}.ts`, folder, tarball, node: values.node, announce }
    const run = await runClient(framework, options)
    console.log(JSON.stringify(run, undefined, 2))
    if (values.record) record(name, run)
    if (run.problem === undefined) {
      console.log(`${name}: the token was renewed, and the refused call was repeated.`)
    } else {
      console.error(`${name}: ${run.problem}`)
      process.exitCode = 1
    }
  }
}

if (positionals.length === 0 || !positionals.every((name) => names.includes(name))) {
  console.error(`Usage: npm run frameworks -- NAME… [OPTIONS], where NAME is one of ${names.join(', ')}
  --node PATH    the Node.js that runs the client; many frameworks need version 22 or 24
  --folder PATH  installs there, and leaves it; else a temporary folder
  --verbose      shows what the server sees
  --record       writes the result to measured.json`)
  process.exitCode = 2
} else if (values.folder !== undefined) {
  await main(values.folder)
} else {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-credentials-frameworks-'))
  await main(folder).finally(() => rmSync(folder, { recursive: true, force: true }))
}
