import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(folder)
  .filter((name) => existsSync(`${folder}${name}/client.ts`))
  .sort()

/** Builds the package, which the examples import by its name, unless nothing has changed since it was built. */
function build(): void {
  const project = fileURLToPath(new URL('..', import.meta.url))
  const time = (path: string) =>
    statSync(`${project}${path}`, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(`${project}src`, { recursive: true, encoding: 'utf8' })
  const changed = ['package.json', 'package-lock.json', ...sources.map((path) => `src/${path}`)]
  // The build writes it last.
  const built = time('dist/cli/NOTICES.txt')
  if (changed.every((path) => time(path) < built)) return
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: project,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(1)
}

interface Outcome {
  readonly output: string
  /** What went wrong. */
  readonly problem?: string
}

/** Runs one example in a process of its own. */
async function run(name: string): Promise<Outcome> {
  const child = spawn(process.execPath, ['--import', 'tsx', `${folder}${name}/client.ts`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000,
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  const status = await new Promise<number | null>((resolve) => {
    child.once('close', resolve)
    // What an example has started, and left behind when it was stopped, may hold its output open.
    child.once('exit', (code) => setTimeout(() => resolve(code), 2000))
  })
  const output = Buffer.concat(chunks).toString()
  if (status === 0) return { output }
  return { output, problem: status === null ? 'it took too long' : `exit status ${status}` }
}

/** @param mayWrite - Whether the output is written into the README of each example, instead of compared with it. */
async function runAll(mayWrite: boolean): Promise<void> {
  const { checkOutput, writeOutput } = await import('./servers/readme-output.ts')
  const remaining = [...names]
  const skipped: string[] = []
  const failures: string[] = []
  async function work(): Promise<void> {
    for (let name = remaining.shift(); name !== undefined; name = remaining.shift()) {
      const { output, problem } = await run(name)
      console.log(`\n${name}\n${output.trimEnd()}`)
      const readme = `${folder}${name}/README.md`
      if (problem !== undefined) failures.push(`${name} failed (${problem})`)
      else if (output.startsWith('Skipped: ')) skipped.push(name)
      else if (mayWrite) writeOutput(readme, output)
      else failures.push(...checkOutput(readme, output).map((line) => `${name}: ${line}`))
    }
  }
  // Three at a time: an example mostly waits.
  await Promise.all([work(), work(), work()])
  if (skipped.length > 0) console.log(`\nSkipped: ${skipped.join(', ')}`)
  for (const failure of failures) console.error(failure)
  console.log(`\n${names.length} examples, ${skipped.length} skipped, ${failures.length} problems`)
  if (failures.length > 0) process.exitCode = 1
}

const [wanted = '', option] = process.argv.slice(2)
if (wanted === '--all') {
  build()
  await runAll(option === '--write')
} else if (names.includes(wanted)) {
  build()
  // In this process, which starts sooner than another one.
  await import(`./${wanted}/client.ts`)
  console.log('\nThe example succeeded.')
} else {
  console.error(`Usage: npm run example -- NAME, where NAME is one of ${names.join(', ')}`)
  process.exitCode = 2
}
