/**
 * Runs the client of one framework against a server with sessions, whose tokens live for five seconds:
 * `npm run frameworks -- NAME`. The framework and the packed tarball of this package are installed into a folder
 * outside of the repository, so that nothing but what they declare is found.
 */
import { execFileSync, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startFrameworkServer } from './server.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')
const names = readdirSync(here).filter((name) => existsSync(join(here, name, 'client.ts')))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    // The Node.js that runs the client: many frameworks need a newer one than this package.
    node: { type: 'string', default: process.execPath },
    folder: { type: 'string' },
    keep: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    // A client elsewhere, in place of the one in the folder of the framework.
    client: { type: 'string' },
    // Uses what is installed in the folder.
    installed: { type: 'boolean', default: false },
  },
})
const isKnown = positionals.length > 0 && positionals.every((name) => names.includes(name))
if (!isKnown) {
  console.error(
    `Usage: npm run frameworks -- NAME [--node PATH] [--keep], NAME: ${names.join(', ')}`,
  )
  process.exit(2)
}

const base = values.folder ?? mkdtempSync(join(tmpdir(), 'mcp-credentials-frameworks-'))
const tarball = values.installed ? '' : pack(base)
for (const name of positionals) {
  const problem = await runOne(name)
  if (problem === undefined) continue
  console.error(`${name}: ${problem}`)
  process.exitCode = 1
}
if (values.folder === undefined && !values.keep) rmSync(base, { recursive: true })

function pack(folder: string): string {
  const npmArguments = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
  const output = execFileSync('npm', npmArguments, { cwd: root, encoding: 'utf8' })
  return join(folder, output.trim())
}

/** Installs, type-checks and runs one client, and prints what the server saw. */
async function runOne(name: string): Promise<string | undefined> {
  const folder = join(base, name)
  install(name, folder)
  const types = typeErrors(folder)
  const server = await startFrameworkServer(values.verbose)
  const environment = {
    ...process.env,
    // Some frameworks keep files in the home folder.
    HOME: folder,
    NO_COLOR: '1',
    MCP_URL: server.url.href,
    MCP_ISSUER: server.issuer,
    MCP_CONTROL: server.origin,
    MCP_CLIENT_SECRET: 'a-secret-that-is-made-up-for-this-example',
  }
  const tsx = import.meta.resolve('tsx')
  const child = spawn(values.node, ['--import', tsx, join(folder, 'client.ts')], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'inherit', 'inherit'],
    timeout: 120_000,
  })
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  await server.close()
  const report = { framework: versions(folder), node: nodeVersion(), ...server.report(), types }
  console.log(JSON.stringify(report, undefined, 2))
  if (!values.keep) rmSync(join(folder, 'node_modules'), { recursive: true })
  if (status !== 0) return `exit status ${status ?? 'none: it took too long'}`
  if (types !== 'ok') return types
  return server.problem()
}

function install(name: string, folder: string): void {
  cpSync(join(here, name), folder, { recursive: true })
  if (values.client !== undefined) cpSync(values.client, join(folder, 'client.ts'))
  cpSync(join(here, 'session.ts'), join(base, 'session.ts'))
  writeFileSync(join(base, 'package.json'), '{"type":"module"}')
  if (values.installed) return
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--silent']
  execFileSync('npm', ['install', ...flags, tarball], { cwd: folder, stdio: 'inherit' })
}

/** Checks the client against the types of the framework that is installed. */
function typeErrors(folder: string): string {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
    include: [join(folder, 'client.ts')],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  try {
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], {
      encoding: 'utf8',
    })
    return 'ok'
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout).trim()
  }
}

/** The version that is installed of each package that the client declares. */
function versions(folder: string): Record<string, string> {
  const read = (path: string): Record<string, unknown> =>
    JSON.parse(readFileSync(join(folder, path, 'package.json'), 'utf8'))
  const dependencies = Object.keys((read('.')['dependencies'] ?? {}) as object)
  const wanted = dependencies.filter((name) => name !== 'mcp-credentials')
  return Object.fromEntries(
    wanted.map((name) => [name, String(read(join('node_modules', name))['version'])]),
  )
}

function nodeVersion(): string {
  return execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim()
}
