import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { defaultStore, saveKey } from 'mcp-credentials/auto'
import { loadConfig } from 'mcp-credentials/config'
import { print } from './rounds.ts'

const rounds = 15
const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const usage = fileURLToPath(new URL('cold-start-usage.cjs', import.meta.url))
const keyUrl = 'https://key.example.com/mcp'
const loginUrl = 'https://login.example.com/mcp'

/** What the command takes to say the headers of a credential that needs no renewal, beside Node alone. */
export async function benchColdStarts(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-cold-start-'))
  const env = await surroundings(folder)
  const config = join(folder, 'mcp.json')
  const candidates: Readonly<Record<string, readonly string[]>> = {
    'node -e 0': ['-e', '0'],
    'headers, a key': [command, 'headers', keyUrl],
    'headers, a login': [command, 'headers', loginUrl],
    'headers, a key, with a config file': [command, '--config', config, 'headers', keyUrl],
    'headers, its name in the config file': [command, '--config', config, 'headers', 'key'],
    '--help': [command, '--help'],
  }
  const samples = Object.entries(candidates).map(([name, args]) => {
    return { name, args, wall: [] as number[], cpu: [] as number[] }
  })
  for (let round = 0; round < rounds; round += 1) {
    for (const { args, wall, cpu } of samples) {
      const taken = await once(args, { ...env, COLD_START_USAGE: join(folder, 'usage') })
      wall.push(taken.wall)
      cpu.push(taken.cpu)
    }
  }
  for (const kind of ['cpu', 'wall'] as const) {
    const figures = samples.map((sample) => {
      const sorted = sample[kind].sort((left, right) => left - right)
      const [minimum = Number.NaN] = sorted
      return { name: sample.name, minimum, median: sorted[Math.floor(rounds / 2)] ?? Number.NaN }
    })
    print(kind === 'cpu' ? 'Cold start, processor time' : 'Cold start, time', 'ms', figures, 0)
  }
  await rm(folder, { recursive: true, force: true })
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
  await promisify(execFile)(process.execPath, ['--require', usage, ...args], { env })
  const wall = performance.now() - start
  return { wall, cpu: Number(await readFile(env['COLD_START_USAGE'] ?? '', 'utf8')) }
}
