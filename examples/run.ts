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

/** Runs one example in a process of its own, prints what it printed, and resolves to what went wrong. */
function run(name: string): Promise<string | undefined> {
  const child = spawn(process.execPath, ['--import', 'tsx', `${folder}${name}/client.ts`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  return new Promise((resolve) => {
    child.once('close', (status) => {
      console.log(`\n${name}\n${Buffer.concat(chunks).toString().trimEnd()}`)
      if (status === 0) resolve(undefined)
      else resolve(status === null ? 'it took too long' : `exit status ${status}`)
    })
  })
}

async function runAll(): Promise<void> {
  const remaining = [...names]
  const failures: string[] = []
  async function work(): Promise<void> {
    for (let name = remaining.shift(); name !== undefined; name = remaining.shift()) {
      const problem = await run(name)
      if (problem !== undefined) failures.push(`${name} failed (${problem})`)
    }
  }
  // Three at a time: an example mostly waits.
  await Promise.all([work(), work(), work()])
  for (const failure of failures) console.error(failure)
  console.log(`\n${names.length - failures.length} of ${names.length} examples succeeded`)
  if (failures.length > 0) process.exitCode = 1
}

const [wanted = ''] = process.argv.slice(2)
if (wanted === '--all') {
  build()
  await runAll()
} else if (names.includes(wanted)) {
  build()
  // In this process, which starts sooner than another one.
  await import(`./${wanted}/client.ts`)
  console.log('\nThe example succeeded.')
} else {
  console.error(`Usage: npm run example -- NAME, where NAME is one of ${names.join(', ')}`)
  process.exitCode = 2
}
