// Runs the authorization scenarios of the official conformance suite, through both SDKs.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

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
const only = args.filter((arg) => arg !== '--sdk')

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

/** The scenarios that are about authorization, with the protocol versions that they are written for. */
async function listScenarios(): Promise<{ name: string; versions: string }[]> {
  const [, text] = await run(['list'])
  const own = text.slice(0, text.indexOf('Authorization server scenarios'))
  return [...own.matchAll(/- (auth\/\S+) \[([^\]]*)\]/g)].map(([, name = '', versions = '']) => ({
    name,
    versions,
  }))
}

async function play(name: string, sdk: 'v1' | 'v2', versions: string): Promise<Outcome> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'))
  // SDK 1.x speaks no newer protocol, so newer scenarios are put to it in its own.
  const old = versions.includes('2025-11-25') ? [] : ['--force']
  const wire = sdk === 'v1' ? ['--spec-version', '2025-11-25', ...old] : []
  const command = `${process.execPath} --import tsx ${join(root, 'test/conformance', client)}`
  const call = ['client', '--command', command, '--scenario', name, '-o', folder, ...wire]
  const [code, output] = await run(call, { MCP_SDK: sdk })
  await rm(folder, { recursive: true, force: true })
  const [, passed = '0', , failed = '0', warnings = '0'] =
    /Passed: (\d+)\/(\d+), (\d+) failed, (\d+) warnings/.exec(output) ?? []
  const bad = Number(failed) + Number(warnings)
  return { passed: Number(passed), failed: code === 0 ? bad : Math.max(1, bad), output }
}

const scenarios = (await listScenarios()).filter(
  ({ name }) => only.length === 0 || only.includes(name),
)
const results = new Map<string, Outcome>()
const queue = scenarios.flatMap(({ name, versions }) => [
  { name, versions, sdk: 'v2' as const },
  { name, versions, sdk: 'v1' as const },
])
async function work(): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { name, sdk, versions } = next
    const outcome = await play(name, sdk, versions)
    results.set(`${sdk} ${name}`, outcome)
    if (outcome.failed > 0 && !args.includes('--sdk'))
      console.error(`${name} (${sdk})\n${outcome.output}`)
  }
}
await Promise.all([work(), work(), work()])

console.log(`@modelcontextprotocol/conformance ${version}, authorization scenarios for clients\n`)
if (args.includes('--sdk')) console.log('With nothing but what the SDKs have built in\n')
console.log('| scenario | SDK 2.x | SDK 1.x |\n|---|---|---|')
const cell = ({ passed, failed }: Outcome) =>
  failed === 0 ? `pass (${passed})` : `FAIL (${passed}, ${failed} failed)`
for (const { name } of scenarios) {
  const [v2, v1] = [results.get(`v2 ${name}`), results.get(`v1 ${name}`)]
  if (v1 !== undefined && v2 !== undefined) console.log(`| ${name} | ${cell(v2)} | ${cell(v1)} |`)
}
for (const sdk of ['v2', 'v1']) {
  const own = scenarios.map(({ name }) => results.get(`${sdk} ${name}`))
  const count = own.filter((outcome) => outcome?.failed === 0).length
  console.log(`\nSDK ${sdk === 'v2' ? '2.x' : '1.x'}: ${count} of ${own.length}`)
}
const outcomes = [...results.values()]
const good = outcomes.filter(({ failed }) => failed === 0).length
console.log(`\n${good} passed, ${outcomes.length - good} failed`)
process.exitCode = good === outcomes.length && outcomes.length > 0 ? 0 : 1
