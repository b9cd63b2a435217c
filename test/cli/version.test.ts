import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

test.each([[['--version']], [['-V']], [['list', '--version']]])(
  'the command %j prints the version of the package',
  async (argv) => {
    const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
    const { version } = JSON.parse(text) as { version: string }
    expect(await world.run(argv)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  },
)

test('the help names the option for the version', async () => {
  expect((await world.run(['--help'])).stdout).toMatch(/-V, --version +print the version/)
})
