import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Measurement, problemOf, startFrameworkServer } from './server.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '../..')
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** How {@link runClient} works. */
export interface RunOptions {
  /** The file in the folder of the framework. Default `client.ts`. */
  readonly client?: string
  /** Where the client is copied to, and what it imports is installed. */
  readonly folder: string
  /** The packed package; without it, the built package and what this repository has installed are linked. */
  readonly tarball?: string
  /** The Node.js that runs the client: many frameworks need a newer one than this package. */
  readonly node?: string
  /** The lifetime of a token in seconds. */
  readonly tokenLifetime?: number
  /** Receives the server's lines. */
  readonly announce?: (line: string) => void
  /** Receives what the client prints. */
  readonly print?: (text: string) => void
}

/** What came of a run. */
export interface Run extends Measurement {
  /** The versions of what the client imports. */
  readonly packages: Readonly<Record<string, string>>
  readonly node: string
  /** What went wrong; `undefined`: nothing. */
  readonly problem: string | undefined
}

/** Installs the client of one framework, checks its types, and runs it against a server of its own. */
export async function runClient(name: string, options: RunOptions): Promise<Run> {
  const { folder, node = process.execPath, tokenLifetime = 5, print = console.log } = options
  const { announce = () => {}, client = 'client.ts' } = options
  const target = join(folder, name)
  cpSync(join(here, name), target, { recursive: true })
  cpSync(join(here, 'session.ts'), join(folder, 'session.ts'))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  if (options.tarball === undefined) link(target)
  else install(target, options.tarball)

  const types = typeErrors(target, client)
  const server = await startFrameworkServer(tokenLifetime, announce)
  const child = spawn(node, ['--import', tsx, join(target, client)], {
    cwd: target,
    env: {
      ...process.env,
      // Some frameworks keep files in the home folder.
      HOME: target,
      NO_COLOR: '1',
      MCP_URL: server.url.href,
      MCP_ISSUER: server.issuer,
      MCP_CONTROL: server.origin,
      MCP_TOKEN_SECONDS: String(tokenLifetime),
      MCP_CLIENT_SECRET: 'a-secret-that-is-made-up-for-this-example',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => print(chunk.toString().trimEnd()))
  }
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  await server.close()
  const measurement = server.measurement()
  const ending = status === 0 ? undefined : `exit status ${status ?? 'none, it took too long'}`
  return {
    packages: versions(target),
    node: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(),
    ...measurement,
    problem: types ?? ending ?? problemOf(measurement),
  }
}

function install(target: string, tarball: string): void {
  // Outside of the repository, so that nothing but what the client declares is found.
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--silent']
  execFileSync('npm', ['install', ...flags, tarball], { cwd: target, stdio: 'inherit' })
}

/** Links what the client declares to what is installed here. */
function link(target: string): void {
  for (const name of dependencies(target)) {
    const path = join(target, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(name === 'mcp-credentials' ? root : join(root, 'node_modules', name), path, 'dir')
  }
}

/** Checks the client against the types of the framework that is installed. */
function typeErrors(target: string, client: string): string | undefined {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
    include: [join(target, client), join(target, 'worker.ts')],
    exclude: [],
  }
  writeFileSync(join(target, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  try {
    execFileSync(process.execPath, [compiler, '-p', target], { encoding: 'utf8' })
    return undefined
  } catch (error) {
    return String((error as { readonly stdout?: unknown }).stdout).trim()
  }
}

/** The installed version of each package that the client declares. */
function versions(target: string): Record<string, string> {
  const frameworks = dependencies(target).filter((name) => name !== 'mcp-credentials')
  return Object.fromEntries(
    frameworks.map((name) => [name, String(manifest(join(target, 'node_modules', name)).version)]),
  )
}

function dependencies(target: string): string[] {
  return Object.keys(manifest(target).dependencies ?? {})
}

interface Manifest {
  readonly version?: string
  readonly dependencies?: Readonly<Record<string, string>>
}

function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}
