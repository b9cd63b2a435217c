import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { defaultStore, saveKey } from 'mcp-credentials/auto'
import { loadConfig } from 'mcp-credentials/config'
import { figureTable, type Table } from './report.ts'
import { effort, figure, inRounds } from './rounds.ts'

const rounds = effort(15, 2)
const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const usage = fileURLToPath(new URL('cold-start-usage.cjs', import.meta.url))
const keyUrl = 'https://key.example.com/mcp'
const loginUrl = 'https://login.example.com/mcp'

interface Start {
  readonly name: string
  readonly args: readonly string[]
}

/** What the command takes to print the headers of a credential that needs no renewal, beside Node alone. */
export async function benchCommand(): Promise<Table[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-cold-start-'))
  const env = await surroundings(folder)
  const config = join(folder, 'mcp.json')
  const starts: readonly Start[] = [
    { name: 'node -e 0', args: ['-e', '0'] },
    { name: 'headers, a key', args: [command, 'headers', keyUrl] },
    { name: 'headers, a login', args: [command, 'headers', loginUrl] },
    {
      name: 'headers, a key, with a config file',
      args: [command, '--config', config, 'headers', keyUrl],
    },
    {
      name: 'headers, its name in the config file',
      args: [command, '--config', config, 'headers', 'key'],
    },
    { name: '--help', args: [command, '--help'] },
  ]
  const tables = await startTables('command', 'Cold start of the command', starts, {
    ...env,
    COLD_START_USAGE: join(folder, 'usage'),
  })
  await rm(folder, { recursive: true, force: true })
  return tables
}

/** What a process takes that loads the library, or others, and does nothing else. */
export async function benchImports(): Promise<Table[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-imports-'))
  const load = (name: string, ...modules: readonly string[]): Start => ({
    name,
    args: [
      '--input-type=module',
      '-e',
      modules.map((module) => `import ${JSON.stringify(module)}`).join(';'),
    ],
  })
  const starts = [
    load('an empty module'),
    load('mcp-credentials', 'mcp-credentials'),
    load('mcp-credentials, ./oauth', 'mcp-credentials', 'mcp-credentials/oauth'),
    load('mcp-credentials, ./auto', 'mcp-credentials', 'mcp-credentials/auto'),
    load('SDK 1.x, client', '@modelcontextprotocol/sdk/client/streamableHttp.js'),
    load('SDK 2.x, client', '@modelcontextprotocol/client'),
    load('google-auth-library', 'google-auth-library'),
    load('@azure/core-rest-pipeline', '@azure/core-rest-pipeline'),
  ]
  const usageFile = join(folder, 'usage')
  const env = { PATH: process.env['PATH'] ?? '', COLD_START_USAGE: usageFile }
  const title = 'Cold start of a process that loads a package'
  const tables = await startTables('import', title, starts, env)
  await rm(folder, { recursive: true, force: true })
  return tables
}

async function startTables(
  id: string,
  title: string,
  starts: readonly Start[],
  env: Record<string, string>,
): Promise<Table[]> {
  const cpu = new Map<Start, number[]>(starts.map((each) => [each, []]))
  const wall = await inRounds(starts, rounds, async (each) => {
    const taken = await once(each.args, env)
    cpu.get(each)?.push(taken.cpu)
    return taken.wall
  })
  const alt = (kind: string) => `${title}: its ${kind}, beside Node alone.`
  const walls = wall.map(({ name, samples }) => figure(name, samples))
  const cpus = starts.map((each) => figure(each.name, cpu.get(each) ?? []))
  const { chart: _, ...processor } = figureTable(
    { id: `${id}-cpu`, title: `${title}: processor time`, unit: 'ms', alt: alt('processor time') },
    cpus,
  )
  return [
    figureTable({ id: `${id}-start`, title, unit: 'ms', alt: alt('duration') }, walls),
    processor,
  ]
}

/** An empty home with encrypted files, in which a key and a login are stored. */
async function surroundings(folder: string): Promise<Record<string, string>> {
  const env = {
    HOME: folder,
    XDG_CACHE_HOME: join(folder, 'cache'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
    MCP_CREDENTIALS_STORE: 'file',
    MCP_CREDENTIALS_KEY: randomBytes(32).toString('base64'),
  }
  await mkdir(env.XDG_CONFIG_HOME)
  Object.assign(process.env, env)
  process.chdir(folder)
  const mcpServers = {
    key: { type: 'http', url: keyUrl },
    other: { url: 'https://example.com/mcp' },
  }
  const config = join(folder, 'mcp.json')
  await writeFile(config, JSON.stringify({ mcpServers }))
  const store = defaultStore()
  const read = await loadConfig({ path: config, store })
  for (const file of read.files) await read.trust(file)
  const key = { type: 'apiKey', value: 'bench' } as const
  await saveKey(store, { resource: keyUrl, key })
  await store.set(`${loginUrl} | default`, {
    version: 1,
    provider: 'authorizationCode',
    generation: 1,
    issuer: 'https://login.example.com',
    obtainedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    data: { accessToken: 'bench', refreshToken: 'bench', tokenType: 'bearer', clientId: 'bench' },
  })
  return { ...env, PATH: process.env['PATH'] ?? '' }
}

async function once(args: readonly string[], env: Record<string, string>) {
  const start = performance.now()
  await promisify(execFile)(process.execPath, ['--require', usage, ...args], { env, cwd: root })
  const wall = performance.now() - start
  return { wall, cpu: Number(await readFile(env['COLD_START_USAGE'] ?? '', 'utf8')) }
}
