import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, describe, expect, test } from 'vitest'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { makeProgram } from '../../src/cli/program.ts'
import { makeTerminal } from '../../src/cli/terminal.ts'
import { loadConfig } from '../../src/config/index.ts'
import { configSchema } from '../../src/config/schema.ts'
import { markdownBelow } from '../support/markdown.ts'

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
const folder = await mkdtemp(join(tmpdir(), 'readme-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

const guides = markdownBelow('docs/guides').map((path) => new URL(`../../${path}`, import.meta.url))
const pages = [readme, ...(await Promise.all(guides.map((path) => readFile(path, 'utf8'))))]
const examples = pages
  .flatMap((page) => [...page.matchAll(/^```json\n([\s\S]*?)^```/gm)])
  .map(([, text = '']) => text)
  .filter((text) => text.includes('"mcpServers"'))

const guide = await readFile(new URL('../../docs/guides/command-line.md', import.meta.url), 'utf8')

/** What stands in the first column of the table with a heading. */
function firstColumn(heading: string): string[] {
  const table = guide.split(`\n| ${heading} |`)[1]?.split('\n\n')[0] ?? ''
  return table.split('\n').flatMap((row) => /^\| ([^-|][^|]*) \|/.exec(row)?.[1] ?? [])
}

describe('the config files of the README and the guides', () => {
  test.each(examples.map((text, index) => [index, text]))(
    'number %i can be used',
    async (index, text) => {
      const path = join(folder, `mcp-${index}.json`)
      await writeFile(path, text)
      const { mcpServers } = JSON.parse(text)
      const entries = Object.values<{ environments?: object }>(mcpServers)
      const environments = entries.flatMap((entry) => Object.keys(entry.environments ?? {}))
      for (const environment of environments.length === 0 ? [undefined] : environments) {
        const chosen = environment === undefined ? {} : { environment }
        const config = await loadConfig({ path, ...chosen, env: {}, trust: () => true })
        expect(config.warnings).toEqual([])
        expect(config.servers.map(({ problem }) => problem)).toEqual(entries.map(() => undefined))
        for (const { kind, name } of config.servers) {
          if (kind === 'http') expect(config.credentials(name)).toHaveProperty('name')
        }
      }
    },
  )

  test('are at least one for each way to name a credential', () => {
    expect(examples.length).toBeGreaterThanOrEqual(4)
    expect(examples.join()).toMatch(
      /"auth"[\s\S]*"environments"[\s\S]*"tenants"[\s\S]*"headersHelper"/,
    )
  })

  test('name references that the schema knows', () => {
    const { definitions } = configSchema() as unknown as {
      definitions: { secret: { anyOf: [{ pattern: string }] } }
    }
    const pattern = new RegExp(definitions.secret.anyOf[0].pattern)
    const references = examples.join().match(/"(?:env|file|keychain|command|input):[^"]+"/g) ?? []
    expect(references.length).toBeGreaterThan(3)
    for (const reference of references) expect(JSON.parse(reference)).toMatch(pattern)
  })
})

describe('the tables of the guide to the command', () => {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
  const terminal = makeTerminal({ ...streams, env: {}, cwd: folder })

  test('name every command, and every option that they give it', async () => {
    const program = await makeProgram(terminal, () => async () => {})
    const table = firstColumn('command').flatMap((cell) => cell.split(', '))
    const names = table.map((cell) => /^`(\w+)/.exec(cell)?.[1])
    const visible = program.createHelp().visibleCommands(program)
    const expected = visible.map((one) => one.name()).filter((name) => name !== 'help')
    expect([...new Set(names)].sort()).toEqual(expected.sort())
    for (const row of guide.split('\n')) {
      const name = /^\| `(\w+)[^`]*`/.exec(row)?.[1]
      const command = program.commands.find((one) => one.name() === name)
      if (command === undefined) continue
      const known = command.options.map(({ long }) => long)
      for (const [, option] of row.matchAll(/`(--[\w-]+)/g)) expect(known).toContain(option)
    }
  })

  test('name every exit code', () => {
    expect(firstColumn('exit code').map(Number)).toEqual(Object.values(exitCodes))
  })
})
