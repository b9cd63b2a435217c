import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { executableOf } from './binary.ts'
import { cases } from './cases.ts'

interface Outcome {
  readonly name: string
  readonly passed: boolean
  readonly problem?: string
}

const script = fileURLToPath(new URL('play.ts', import.meta.url))
const commands = {
  node: () => [process.execPath, '--import', 'tsx', script],
  bun: () => [executableOf('bun'), script],
  deno: () => [executableOf('deno'), 'run', '--allow-all', script],
} as const

/** Plays the cases in a process of the runtime, and reads what came of each. */
async function play(runtime: keyof typeof commands): Promise<ReadonlyMap<string, Outcome>> {
  const [program = '', ...args] = commands[runtime]()
  const options = { timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } }
  const { stdout } = await promisify(execFile)(program, args, options)
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"name":'))
  const outcomes = lines.map((line) => JSON.parse(line) as Outcome)
  return new Map(outcomes.map((outcome) => [outcome.name, outcome]))
}

describe.each(['node', 'bun', 'deno'] as const)('in %s', (runtime) => {
  let outcomes: ReadonlyMap<string, Outcome> = new Map()
  beforeAll(async () => {
    outcomes = await play(runtime)
  }, 120_000)

  it.each(cases.map(({ name }) => name))('%s', (name) => {
    expect(outcomes.get(name)).toEqual({ name, passed: true })
  })
})
