import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { executableOf, nodeOf, nodeVersions, onDemand } from './binary.ts'
import { cases } from './cases.ts'

interface Outcome {
  readonly name: string
  readonly passed: boolean
  readonly problem?: string
}

interface Runtime {
  readonly name: string
  /** The program and its arguments. */
  command(): Promise<readonly string[]>
}

const script = fileURLToPath(new URL('play.ts', import.meta.url))
const asNode = (program: string) => [program, '--import', 'tsx', script]
const runtimes: readonly Runtime[] = [
  { name: 'this Node', command: async () => asNode(process.execPath) },
  ...nodeVersions.map((version) => ({
    name: `Node ${version}`,
    command: async () => asNode(await nodeOf(version)),
  })),
  { name: 'Bun', command: async () => [await executableOf('bun'), script] },
  { name: 'Deno', command: async () => [await executableOf('deno'), 'run', '--allow-all', script] },
]

/** Plays the cases in a process of the runtime, and reads what came of each. */
async function play([program = '', ...args]: readonly string[]): Promise<Map<string, Outcome>> {
  const options = { timeout: 180_000, env: { ...process.env, NO_COLOR: '1' } }
  const { stdout } = await promisify(execFile)(program, args, options)
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"name":'))
  const outcomes = lines.map((line) => JSON.parse(line) as Outcome)
  return new Map(outcomes.map((outcome) => [outcome.name, outcome]))
}

describe.each(runtimes)('in $name', ({ command }) => {
  let outcomes = new Map<string, Outcome>()
  let reason: string | undefined
  beforeAll(async () => {
    const found = await onDemand(command)
    if ('reason' in found) reason = found.reason
    else outcomes = await play(found.value)
  })
  beforeEach((context) => context.skip(reason !== undefined, reason))

  it.each(cases.map(({ name }) => name))('%s', (name) => {
    expect(outcomes.get(name)).toEqual({ name, passed: true })
  })
})
