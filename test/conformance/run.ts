// Runs the authorization scenarios of the official conformance suite, through both SDKs. With `--proxy` it runs the
// suite's scenarios for clients through the proxy instead, from a client that knows nothing but the stdio transport.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { proxyPlay } from './proxy-scenarios.ts'

interface Outcome {
  readonly passed: number
  readonly failed: number
  /** What the suite said, when it was not content. */
  readonly output: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const suite = join(root, 'node_modules/@modelcontextprotocol/conformance')
const { version } = JSON.parse(await readFile(join(suite, 'package.json'), 'utf8')) as {
  version: string
}
const args = process.argv.slice(2)
/** With `--sdk`, the SDKs' own providers play instead of this library. */
const client = args.includes('--sdk') ? 'sdk-client.ts' : 'client.ts'
const only = args.filter((arg) => !arg.startsWith('--'))

/** The suite needs Node 22; where an older one runs, npm brings it along. */
function modernNode(): string {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const bundle = `node-${process.platform}-${process.arch}@22`
  const args = ['exec', '--yes', `--package=${bundle}`, '--', 'node', '-p', 'process.execPath']
  return execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}

const node = modernNode()

function run(args: readonly string[], env: Record<string, string> = {}): Promise<[number, string]> {
  return new Promise((resolve) => {
    const options = {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', ...env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 120_000,
    }
    const child = execFile(
      node,
      [join(suite, 'dist/index.js'), ...args],
      options,
      (error, out, err) => {
        resolve([error === null ? 0 : 1, `${out}\n${err}`])
      },
    )
    child.stdin?.end()
  })
}

/** The scenarios for clients, with the protocol versions that they are written for. */
async function listScenarios(): Promise<{ name: string; versions: string }[]> {
  const [, text] = await run(['list'])
  const own = text.slice(
    text.indexOf('Client scenarios'),
    text.indexOf('Authorization server scenarios'),
  )
  return [...own.matchAll(/- (\S+) \[([^\]]*)\]/g)].map(([, name = '', versions = '']) => ({
    name,
    versions,
  }))
}

interface Play {
  readonly name: string
  readonly versions: string
  readonly client: string
  /** Nothing newer than MCP 2025-11-25 is spoken, so newer scenarios are played in it. */
  readonly isOld: boolean
  readonly env: Record<string, string>
}

async function play({ name, versions, client, isOld, env }: Play): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  const force = versions.includes('2025-11-25') ? [] : ['--force']
  const wire = isOld ? ['--spec-version', '2025-11-25', ...force] : []
  const command = `${process.execPath} --import tsx ${join(root, 'test/conformance', client)}`
  const call = ['client', '--command', command, '--scenario', name, '-o', folder, ...wire]
  const [code, output] = await run(call, env)
  await rm(folder, { recursive: true, force: true })
  const [, passed = '0', , failed = '0', warnings = '0'] =
    /Passed: (\d+)\/(\d+), (\d+) failed, (\d+) warnings/.exec(output) ?? []
  const bad = Number(failed) + Number(warnings)
  return { passed: Number(passed), failed: code === 0 ? bad : Math.max(1, bad), output }
}

const throughProxy = args.includes('--proxy')
const scenarios = (await listScenarios()).filter(
  ({ name }) =>
    (throughProxy || name.startsWith('auth/')) && (only.length === 0 || only.includes(name)),
)
const results = new Map<string, Outcome>()
const queue: (Play & { readonly way: string })[] = (throughProxy ? [] : scenarios).flatMap(
  (scenario) => [
    { ...scenario, way: 'v2', client, isOld: false, env: { MCP_SDK: 'v2' } },
    { ...scenario, way: 'v1', client, isOld: true, env: { MCP_SDK: 'v1' } },
  ],
)
const skipped: string[] = []
for (const scenario of throughProxy ? scenarios : []) {
  const how = proxyPlay(scenario.name)
  if ('skipped' in how) {
    skipped.push(`${scenario.name}: ${how.skipped}`)
    continue
  }
  const env = { PROXY: how.proxy, WIRE: how.wire }
  const isOld = how.wire === 'session'
  queue.push({ ...scenario, way: 'proxy', client: 'proxy-client.ts', isOld, env })
}
async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const outcome = await play(next)
    results.set(`${next.way} ${next.name}`, outcome)
    if (outcome.failed > 0 && !args.includes('--sdk'))
      console.error(`${next.name} (${next.way})\n${outcome.output}`)
  }
}
await Promise.all([work(), work(), work()])

console.log(`@modelcontextprotocol/conformance ${version}, scenarios for clients\n`)
if (args.includes('--sdk')) console.log('With nothing but what the SDKs have built in\n')
const ways: readonly [string, string][] = throughProxy
  ? [['proxy', 'through the proxy']]
  : [
      ['v2', 'SDK 2.x'],
      ['v1', 'SDK 1.x'],
    ]
console.log(`| scenario | ${ways.map(([, title]) => title).join(' | ')} |`)
console.log(`|---|${ways.map(() => '---|').join('')}`)
const cell = (outcome: Outcome | undefined) => {
  if (outcome === undefined) return '–'
  const { passed, failed } = outcome
  return failed === 0 ? `pass (${passed})` : `FAIL (${passed}, ${failed} failed)`
}
for (const { name } of scenarios) {
  const cells = ways.map(([way]) => cell(results.get(`${way} ${name}`)))
  console.log(`| ${name} | ${cells.join(' | ')} |`)
}
function count(way: string): string {
  const own = [...results].filter(([key]) => key.startsWith(`${way} `))
  return `${own.filter(([, { failed }]) => failed === 0).length} of ${own.length}`
}
for (const [way, title] of ways) console.log(`\n${title}: ${count(way)}`)
if (skipped.length > 0) console.log(`\nNot played:\n- ${skipped.join('\n- ')}`)
const outcomes = [...results.values()]
const good = outcomes.filter(({ failed }) => failed === 0).length
console.log(`\n${good} passed, ${outcomes.length - good} failed`)
process.exitCode = good === outcomes.length && outcomes.length > 0 ? 0 : 1
