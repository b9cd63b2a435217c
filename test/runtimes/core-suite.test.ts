import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { nodeOf, nodeVersions, onDemand } from './binary.ts'
import { ownEnvironment } from './installed.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const lineOf = (version: string) => version.split('.')[0]
/** The version that runs this has run the unit tests itself. */
const versions = nodeVersions.filter((version) => lineOf(version) !== lineOf(process.versions.node))

const core = ['manager', 'oauth', 'providers', 'stores', 'transport']
/** The long model of the life cycle, and what checks documents rather than code. */
const leftOut = ['docs', 'lifecycle']

/** What is run: of older versions the core, of the newest all but the long tests. */
async function chosenTests(version: string): Promise<string[]> {
  const isNewest = version === nodeVersions.at(-1)
  const entries = await readdir(join(root, 'test'), { withFileTypes: true })
  const chosen = entries.filter((entry) =>
    entry.isDirectory()
      ? core.includes(entry.name) || (isNewest && !leftOut.includes(entry.name))
      : entry.name.endsWith('.test.ts'),
  )
  return chosen.map((entry) => `test/${entry.name}${entry.isDirectory() ? '/' : ''}`)
}

/** A copy that other users of the machine may run, too: some tests start a process as another user. */
async function publicCopy(program: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'node-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }))
  await chmod(folder, 0o755)
  await copyFile(program, join(folder, 'node'))
  return folder
}

interface Outcome {
  readonly version: string
  readonly passed: number
  readonly failed: number
  /** What it printed of tests that failed. */
  readonly problems: string
}

/** Runs unit tests in processes of this version, and counts. */
async function unitTestsIn(folder: string, tests: readonly string[]): Promise<Outcome> {
  const node = join(folder, 'node')
  const PATH = [folder, process.env['PATH']].join(delimiter)
  const options = { cwd: root, env: { ...ownEnvironment(), NO_COLOR: '1', PATH } }
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts']
  const version = await outputOf(spawn(node, ['--version'], options))
  const printed = await outputOf(spawn(node, [...vitest, '--project', 'unit', ...tests], options))
  const [, passed, failed] = printed.match(/^(\d+) passed, (\d+) failed/m) ?? []
  const [, problems = ''] = printed.split(/^.*Failed (?:Tests|Suites).*$/m)
  return {
    version: version.trim(),
    passed: Number(passed),
    failed: Number(failed),
    problems: failed === '0' ? '' : problems || printed.slice(-5000),
  }
}

async function outputOf(child: ChildProcess): Promise<string> {
  const ended = once(child, 'close')
  onTestFinished(() => void child.kill('SIGKILL'))
  const streams = [child.stdout, child.stderr].map((stream) => (stream ? text(stream) : ''))
  const [output] = await Promise.all([Promise.all(streams), ended])
  return output.join('')
}

describe.each(versions)('in Node %s', (version) => {
  it('the unit tests pass', { timeout: 400_000 }, async (context) => {
    const found = await onDemand(() => nodeOf(version))
    if ('reason' in found) return context.skip(found.reason)

    const outcome = await unitTestsIn(await publicCopy(found.value), await chosenTests(version))

    expect(outcome).toMatchObject({ version: `v${version}`, failed: 0, problems: '' })
    // Fewer would mean that they were not found.
    expect(outcome.passed).toBeGreaterThan(2500)
  })
})
